"""Security headers of every page, fragment and static file."""

from collections.abc import Mapping

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
"""No inline script or style, nothing from another host, no frame around a page."""

SECURITY: Mapping[str, str] = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    # Not `no-referrer`: browsers would then send `Origin: null` with forms, and the check of the origin would fail.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

PAGE: Mapping[str, str] = {**SECURITY, "cache-control": "no-store", "vary": "accept-encoding, accept-language, cookie"}
"""A page shows what one person may see, so that no cache keeps it."""

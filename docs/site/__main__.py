"""Builds the site into `site/`: `python -m docs.site`. It needs no network and no running service."""

import sys

from docs.site import site_build


def main() -> None:
    """Exits with 1 if a link is broken."""
    staged, site = site_build.ROOT / "build" / "docs", site_build.ROOT / "site"
    site_build.stage(staged)
    sys.exit(site_build.build(staged, site))


if __name__ == "__main__":
    main()

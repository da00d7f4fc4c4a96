"""Writes `docs/conformance.md`: `python -m docs.conformance`."""

from docs.conformance import page, sdk_surface


def main() -> None:
    page.PAGE.write_text(page.page(sdk_surface.surface(), page.load()))
    print(f"wrote {page.PAGE}")


if __name__ == "__main__":
    main()

"""Pictures of pages for the documentation, small enough to keep."""

import io
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

FOLDER = Path(__file__).parent / "pages"
TALLEST = 2000
COLOURS = 256


def save(page: Page, name: str) -> Path:
    """The page's beginning, with as many colours as text and charts need, rare ones among them; returns its path."""
    size = page.viewport_size
    assert size is not None
    height = min(int(page.evaluate("document.documentElement.scrollHeight")), TALLEST)
    clip = {"x": 0, "y": 0, "width": size["width"], "height": max(height, size["height"])}
    taken = page.screenshot(clip=clip, full_page=True)  # pyright: ignore[reportArgumentType]
    picture = (
        Image.open(io.BytesIO(taken))
        .convert("RGB")
        .quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    )
    target = FOLDER / f"{name}.png"
    picture.save(target, optimize=True)
    print(f"{target.relative_to(Path.cwd())}: {target.stat().st_size // 1024} kB")
    return target

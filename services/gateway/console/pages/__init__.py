"""The gateway's pages: sign-in, home, and what people see of names, engines and keys."""

from pathlib import Path

from shared.pages import Pages

PAGES = Pages("gateway", Path(__file__).parent)

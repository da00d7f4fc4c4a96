"""The documentation site builds offline, and a broken link fails the build."""

import re
from pathlib import Path

import pytest

from docs.site import http_reference, schema_tables, site_build

EXTERNAL_RESOURCE = re.compile(r"<(?:script|link|img|iframe)[^>]*\b(?:src|href)=[\"']?https?://[^\"' >]+")


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "pages"
    site_build.stage(folder)
    return folder


def test_the_site_builds_without_a_broken_link_and_loads_nothing_from_another_host(staged: Path, tmp_path: Path):
    assert site_build.build(staged, tmp_path) == 0
    pages = list(tmp_path.rglob("*.html"))
    assert {f"http-{service}.html" for service in http_reference.SERVICES} <= {page.name for page in pages}
    assert {page.name: found for page in pages if (found := EXTERNAL_RESOURCE.findall(page.read_text()))} == {}


def test_a_broken_link_fails_the_build(staged: Path, tmp_path: Path):
    page = staged / "docs" / "api.md"
    text = page.read_text()
    page.write_text(f"{text}\n[gone](no-such-page.md)\n")
    try:
        assert site_build.build(staged, tmp_path) != 0
    finally:
        page.write_text(text)


def test_each_route_of_the_gateway_is_listed_with_its_scope():
    page = http_reference.page("gateway")
    assert re.search(r"`POST /v1/files`\]\([^)]*\) \| train \|", page)
    assert re.search(r"`POST /v1/keys`\]\([^)]*\) \| admin \|", page)


def test_a_property_is_a_row_with_type_limits_and_default():
    schema = {"properties": {"rank": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}], "default": 8}}}
    assert schema_tables.properties(schema)[2] == "| `rank` | integer or null |  | ≥ 1, default `8` |  |"


def test_a_pipe_in_a_description_does_not_split_the_cell():
    assert schema_tables.escape("a | b\nc") == r"a \| b c"

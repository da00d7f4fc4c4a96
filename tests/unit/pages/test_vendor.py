"""The vendored files are those that the manifest names, and nothing else lies beside them."""

import hashlib

from shared.pages.static_files import files, static_url
from shared.pages.vendor import FOLDER, MANIFEST, local_name, manifest


def test_each_vendored_file_has_the_digest_that_the_manifest_names() -> None:
    for package in manifest():
        for path, sha256 in package.files.items():
            content = (FOLDER / local_name(package, path)).read_bytes()
            assert hashlib.sha256(content).hexdigest() == sha256, local_name(package, path)


def test_no_file_lies_there_that_the_manifest_does_not_name() -> None:
    named = {local_name(package, path) for package in manifest() for path in package.files} | {MANIFEST.name}
    assert {path.name for path in FOLDER.iterdir()} == named


def test_each_package_has_a_licence_that_may_be_passed_on() -> None:
    assert {package.licence for package in manifest()} <= {"0BSD", "MIT"}
    assert all((FOLDER / f"{package.name}.LICENSE").exists() for package in manifest())


def test_an_address_names_the_content_so_that_browsers_may_keep_it() -> None:
    assert static_url("assay.css").startswith("/console/static/")
    assert all(len(file.compressed) < len(file.content) for name, file in files().items() if name.endswith(".js"))

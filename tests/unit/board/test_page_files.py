"""The files of the page: what they name is there, and what may do harm is not."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

REPOSITORY = Path(__file__).resolve().parents[3]
STATIC = REPOSITORY / "services" / "board" / "static"
MODULES = sorted(STATIC.glob("js/**/*.js"))


def test_the_page_names_the_version_of_the_plotting_library_that_is_pinned() -> None:
    lock = json.loads((REPOSITORY / "deploy" / "page" / "package-lock.json").read_text())
    named = re.search(r"vendor/uplot-([0-9.]+)/", (STATIC / "js" / "plot.js").read_text())
    assert named is not None
    assert named[1] == lock["packages"]["node_modules/uplot"]["version"]


VENDORED = {
    "LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}


def test_the_plotting_library_is_the_published_one() -> None:
    (folder,) = (STATIC / "vendor").iterdir()
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    assert found == VENDORED
    published = REPOSITORY / ".isonomy" / "page" / folder.name
    if not published.is_dir():
        pytest.skip("npm could not fetch uPlot to compare with: deploy/ensure-page")
    for name in VENDORED:
        (path,) = published.rglob(name)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == VENDORED[name], path


def test_every_file_of_the_page_is_in_the_wheel(tmp_path: Path) -> None:
    (made,) = WheelBuilder(str(REPOSITORY)).build(directory=str(tmp_path), versions=["standard"])
    held = set(zipfile.ZipFile(made).namelist())
    wanted = {path.relative_to(REPOSITORY).as_posix() for path in STATIC.rglob("*") if path.is_file()}
    assert len(wanted) > 20
    assert wanted <= held
    assert any(re.search(r"dist-info/licenses/.*uplot-.*/LICENSE$", name) for name in held)


def test_the_lock_names_no_address() -> None:
    assert "http" not in (REPOSITORY / "deploy" / "page" / "package-lock.json").read_text()


def test_nothing_is_written_as_html_and_nothing_comes_from_elsewhere() -> None:
    for path in [*MODULES, *STATIC.glob("css/*.css"), STATIC / "index.html"]:
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|https?://[a-z]", text), (
            path
        )
        assert "style=" not in text, path


def test_every_import_leads_to_a_file_and_every_module_says_first_what_it_is() -> None:
    for path in MODULES:
        text = path.read_text()
        assert text.startswith("// "), path
        assert text.count("\n") < 250, path
        for target in re.findall(r'from "(\.[^"]+)"', text):
            assert (path.parent / target).is_file(), (path, target)
    for target in re.findall(r'(?:href|src)="([^"#]+)"', (STATIC / "index.html").read_text()):
        assert (STATIC / target).is_file(), target


def test_documents_that_the_page_names_are_there() -> None:
    named = {name for path in MODULES for name in re.findall(r"\bdocs/[\w./-]+\.md\b", path.read_text())}
    assert "docs/methods/ratings.md" in named
    assert [name for name in named if not (REPOSITORY / name).is_file()] == []

"""The files of the page: what they name is there, and what may do harm is not."""

from __future__ import annotations

import json
import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
STATIC = REPOSITORY / "services" / "board" / "static"
MODULES = sorted(STATIC.glob("js/**/*.js"))


def test_the_page_names_the_version_of_the_plotting_library_that_is_pinned() -> None:
    lock = json.loads((REPOSITORY / "deploy" / "page" / "package-lock.json").read_text())
    named = re.search(r"vendor/uplot-([0-9.]+)/", (STATIC / "js" / "plot.js").read_text())
    assert named is not None
    assert named[1] == lock["packages"]["node_modules/uplot"]["version"]


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

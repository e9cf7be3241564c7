"""The licences of what is locked: none is taken that is not known, and what ships is held to more than what tests."""

from importlib import metadata
from pathlib import Path

import pytest

from deploy import licences
from deploy.licences import EXCEPTIONS, FOR_TESTS, PERMISSIVE, faults, is_taken, locked, npm, statements


def test_all_that_is_locked_may_be_taken(capsys: pytest.CaptureFixture[str]) -> None:
    assert licences.main() == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    ("statement", "ships", "tests"),
    [
        ("MIT", True, True),
        ("mit", True, True),
        ("BSD License", True, True),
        ("Apache-2.0 AND MIT", True, True),
        ("GPL-3.0-only OR MIT", True, True),
        ("Apache-2.0 WITH LLVM-exception", True, True),
        ("MPL-2.0", False, True),
        ("Mozilla Public License 2.0 (MPL 2.0)", False, True),
        ("MIT AND MPL-2.0", False, True),
        ("GPL-3.0-only", False, False),
        ("LGPL-3.0-or-later", False, False),
        ("MIT AND GPL-2.0-only", False, False),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False, False),
        ("SSPL-1.0", False, False),
        ("Proprietary", False, False),
        ("LicenseRef-ours", False, False),
        ("(MIT OR Apache-2.0) AND GPL-3.0-only", False, False),
        ("see the file", False, False),
        ("", False, False),
    ],
)
def test_what_is_taken(statement: str, ships: bool, tests: bool) -> None:
    assert (is_taken(statement, PERMISSIVE), is_taken(statement, FOR_TESTS)) == (ships, tests)


def package(site: Path, name: str, *lines: str) -> None:
    folder = site / f"{name}-1.0.dist-info"
    folder.mkdir()
    head = ("Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0")
    (folder / "METADATA").write_text("\n".join((*head, *lines)) + "\n")


def test_what_a_package_says_is_read_from_the_most_exact_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    free, bare = "Classifier: License :: OSI Approved :: MIT License", "Classifier: License :: OSI Approved"
    package(tmp_path, "expression", "License-Expression: ISC", "License: GPL", free)
    package(
        tmp_path, "classifiers", "License: a long text", bare, free, "Classifier: License :: Other/Proprietary License"
    )
    package(tmp_path, "words", "License: Apache 2.0", bare)
    package(tmp_path, "silent")
    assert statements("expression") == ["ISC"]
    assert statements("classifiers") == ["MIT License", "Other/Proprietary License"]
    assert statements("words") == ["Apache 2.0"]
    assert statements("silent") == [""]
    # All of several are asked for: which of them holds is not said.
    assert len(list(faults({"expression", "classifiers", "words", "silent", "absent"}, PERMISSIVE))) == 3


def test_an_exception_is_for_what_the_package_said_when_it_was_made() -> None:
    exceptions = {"tiny": ("Own License", "looked at")}
    assert list(faults({"tiny"}, PERMISSIVE, lambda _: ["Own License"], exceptions)) == []
    assert list(faults({"tiny"}, PERMISSIVE, lambda _: ["Own License 2"], exceptions))
    assert list(faults({"tiny"}, PERMISSIVE, lambda _: ["Own License", "GPL-3.0-only"], exceptions))
    assert list(faults({"other"}, PERMISSIVE, lambda _: ["Own License"], exceptions))


def test_every_exception_has_a_reason_and_is_needed() -> None:
    for name, (said, why) in EXCEPTIONS.items():
        assert len(why) > 20, name
        assert said in statements(name)
        assert not is_taken(said, PERMISSIVE), name


def test_a_licence_that_is_not_taken_fails_the_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(licences, "PERMISSIVE", PERMISSIVE - {"ISC", "BSD-2-Clause"})
    assert licences.main() == 1
    said = capsys.readouterr().err
    assert "apprise" in said
    assert "Pygments".lower() in said


def test_what_makes_the_site_is_looked_at_where_it_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    assert licences.main(["docs"]) == 1
    assert "sphinx: it is locked and not installed" in capsys.readouterr().err


def test_what_only_tests_need_is_not_held_to_what_ships() -> None:
    shipped = locked("runtime")
    assert "certifi" in shipped
    assert not {"hypothesis", "pathspec", "hatchling"} & shipped
    assert metadata.metadata("hypothesis")["License-Expression"] == "MPL-2.0"
    assert npm(dev=False) == {"uplot": ["MIT"]}
    assert npm(dev=True)["axe-core"] == ["MPL-2.0"]

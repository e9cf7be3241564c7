"""Check the licences of all locked packages against the accepted ones: python -m deploy.licences.

Packages shipped with the product (deploy/runtime.lock, the page's `dependencies`) must have permissive licences.
Packages for development and tests are not distributed, so licences that require the source of changed files are
accepted too. Tools that are only run, separately from the project (deploy/tools.lock, deploy/checkers.lock), are not
checked. The site generator (deploy/docs.lock) puts its theme into the site: `python -m deploy.licences docs`, run where
it is installed (`make docs`), checks that lock.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from importlib import metadata
from pathlib import Path

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

HERE = Path(__file__).parent
PERMISSIVE = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CC0-1.0",
        "ISC",
        "MIT",
        "MIT-CMU",
        "PSF-2.0",
        "Zlib",
    }
)
FOR_TESTS = PERMISSIVE | {"MPL-2.0"}
"""MPL requires the source of its own files when they are distributed, and packages for tests are not."""
WORDS = {
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",  # the classifier; no other version of this licence is in use
    "bsd license": "BSD-3-Clause",  # the classifier does not say which; all of them are permissive
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
}
"""Maps licences of packages without an SPDX expression, given as classifiers or words, to SPDX identifiers."""
EXCEPTIONS: Mapping[str, tuple[str, str]] = {
    "certifi": (
        "Mozilla Public License 2.0 (MPL 2.0)",
        "a list of authorities, handed on as it is with its source, which is all that MPL asks for",
    ),
    "venusian": (
        "Repoze Public License",
        "BSD's terms, a clause on names, and that changed files say that they were changed; faust-streaming needs it",
    ),
    "lupa": ("MIT style", "its LICENSE.txt is the MIT licence"),
    "promql-parser": ("", "its LICENSE is the MIT licence, its metadata does not say so"),
}
"""By package: its exact licence statement, and why it is accepted. With another statement it is no exception."""

FOR_THE_SITE: Mapping[str, tuple[str, str]] = {
    "docutils": (
        "Public Domain; GNU General Public License (GPL)",
        "public domain and BSD-2-Clause; under GPL is an Emacs mode, which its wheel does not have",
    ),
}
"""Exceptions for the site generator; a package's unaccepted statements are joined by `; `."""


def statements(name: str) -> list[str]:
    """Return an installed package's licence statements: an SPDX expression, else classifiers, else words.

    Raises
    ------
    PackageNotFoundError
        When the package is not installed.
    """
    said = metadata.metadata(name)
    if expression := _first(said, "License-Expression"):
        return [expression]
    classifiers = [each.split(" :: ") for each in said.get_all("Classifier") or () if each.startswith("License ::")]
    named = [each[-1] for each in classifiers if each[-1] not in ("OSI Approved", "DFSG approved")]
    words = _first(said, "License").strip().splitlines()
    return named or words[:1] or [""]


def _first(said: metadata.PackageMetadata, field: str) -> str:
    return next(iter(said.get_all(field) or ()), "")


def is_taken(statement: str, licences: Set[str]) -> bool:
    """Return whether a statement permits use under `licences` alone; false for an unknown statement."""
    try:
        expression = canonicalize_license_expression(WORDS.get(statement.lower(), statement))
    except InvalidLicenseExpression:
        return False
    return any(all(each in licences for each in choice.split(" AND ")) for choice in expression.split(" OR "))


def faults(
    names: Set[str],
    licences: Set[str],
    said: Callable[[str], list[str]] = statements,
    exceptions: Mapping[str, tuple[str, str]] = EXCEPTIONS,
) -> Iterator[str]:
    """Yield, for each package that is not accepted, the reason."""
    for name in sorted(names):
        try:
            found = said(name)
        except metadata.PackageNotFoundError:
            yield f"{name}: it is locked and not installed, so its licence is not known: make install"
            continue
        refused = [each for each in found if not is_taken(each, licences)]
        if name in exceptions and "; ".join(refused) == exceptions[name][0]:
            continue
        yield from (f"{name}: the licence {each!r} is none that we take here" for each in refused)


def locked(name: str) -> frozenset[str]:
    """Return the package names in a Python lock file."""
    return frozenset(re.findall(r"^([a-z0-9-]+)==", (HERE / f"{name}.lock").read_text("utf-8"), re.MULTILINE))


def npm(*, dev: bool) -> dict[str, list[str]]:
    """Return npm packages with their licence statements: development packages if `dev`, else shipped ones."""
    packages = [
        (path.removeprefix("node_modules/"), each)
        for lock in ("page", "grafana/check")
        for path, each in json.loads((HERE / lock / "package-lock.json").read_text("utf-8"))["packages"].items()
        if path
    ]
    return {name: [each.get("license", "")] for name, each in packages if each.get("dev", False) is dev}


def main(arguments: Sequence[str] = ()) -> int:
    """Print packages that are not accepted; return 1 if any. The argument `docs` checks only the site generator."""
    if arguments == ["docs"]:
        found = [*faults(locked("docs"), FOR_TESTS, exceptions=FOR_THE_SITE)]
        print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)
        return 1 if found else 0
    shipped = locked("runtime")
    around = (locked("requirements") | locked("build")) - shipped
    page, checks = npm(dev=False), npm(dev=True)
    found = [
        *faults(shipped, PERMISSIVE),
        *faults(around, FOR_TESTS),
        *faults(page.keys(), PERMISSIVE, page.__getitem__),
        *faults(checks.keys(), FOR_TESTS, checks.__getitem__),
    ]
    found += [f"{name}: an exception for what is not locked" for name in sorted(EXCEPTIONS.keys() - shipped - around)]
    for each in found:
        print(each, file=sys.stderr)
    if not found:
        print(f"licences: {len(shipped) + len(page)} packages shipped, {len(around) + len(checks)} around them")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

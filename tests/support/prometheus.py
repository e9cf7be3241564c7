"""A real Prometheus with the rules of `deploy/prometheus` that scrapes a test's processes every second."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from services.local.ports import HOST, free_port
from services.local.process import ChildProcess
from tests.support.eventually import eventually
from tests.support.http import PLAIN

RULES = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "rules"


def found() -> bool:
    """Whether Prometheus is installed on this machine (`deploy/ensure-prometheus`)."""
    return shutil.which("prometheus") is not None


@dataclass
class Prometheus:
    """One Prometheus process; `targets` are addresses by job."""

    directory: Path
    targets: Mapping[str, Sequence[str]]
    port: int = field(default_factory=free_port)
    process: ChildProcess | None = None

    def start(self) -> Prometheus:
        self.directory.mkdir(parents=True, exist_ok=True)
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [f"{RULES}/*.yml"],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": list(addresses)}]}
                for job, addresses in self.targets.items()
            ],
        }
        path = self.directory / "prometheus.yml"
        path.write_text(yaml.safe_dump(config))
        argv = [
            "prometheus",
            f"--config.file={path}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--web.listen-address={HOST}:{self.port}",
            "--log.level=warn",
        ]
        self.process = ChildProcess("prometheus", argv, log_path=self.directory / "prometheus.log")
        self.process.start()
        eventually(self._ready, 30)
        return self

    def stop(self) -> None:
        if self.process is not None and self.process.alive:
            self.process.terminate()

    def _ready(self) -> bool:
        assert self.process is not None
        code = self.process.poll()
        if code is not None:
            raise RuntimeError(f"prometheus ended with {code}:\n{self.process.log_tail(20)}")
        try:
            return httpx.get(f"http://{HOST}:{self.port}/-/ready", **PLAIN).status_code == 200
        except httpx.TransportError:
            return False

    def ask(self, path: str, **parameters: Any) -> Any:
        """Query the API; returns `data`, raises `AssertionError` with Prometheus's answer."""
        url = f"http://{HOST}:{self.port}/api/v1/{path}"
        answer = httpx.post(url, data=parameters, timeout=20, **PLAIN).json()
        assert answer["status"] == "success", (parameters, answer)
        return answer["data"]

    def instant(self, expr: str) -> list[dict[str, Any]]:
        """Result of an instant query."""
        result: list[dict[str, Any]] = self.ask("query", query=expr)["result"]
        return result

    def over(self, expr: str, seconds: float, step: float = 1.0) -> list[dict[str, Any]]:
        """Result of a range query over the last `seconds`."""
        now = time.time()
        found: list[dict[str, Any]] = self.ask("query_range", query=expr, start=now - seconds, end=now, step=step)[
            "result"
        ]
        return found

    def all_up(self) -> bool:
        """Whether the last scrape of every target succeeded."""
        wanted = sum(map(len, self.targets.values()))
        up = sum(bool(series["value"][1] == "1") for series in self.instant("up"))
        return up == wanted

    def get(self, path: str) -> Any:
        """Read from the API."""
        return httpx.get(f"http://{HOST}:{self.port}/api/v1/{path}", timeout=20, **PLAIN).json()["data"]

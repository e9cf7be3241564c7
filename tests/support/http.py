"""HTTP options for tests that talk to servers on this machine."""

from typing import Any

PLAIN: dict[str, Any] = {"trust_env": False, "verify": False}
"""Options of httpx: no proxy from the environment, and no TLS context. A context takes 22 ms to create, and a test that
polls would create one per request: half a core for every waiting test."""

"""How tests speak HTTP to the servers that they start."""

from typing import Any

PLAIN: dict[str, Any] = {"trust_env": False, "verify": False}
"""Options of httpx: no proxy of this machine, and no TLS context. Making one takes 22 ms, and a test that polls makes
one for each look: half a core for every test that waits."""

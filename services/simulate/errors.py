"""What is wrong with a scenario, for the person who wrote it."""

from __future__ import annotations


class ScenarioError(Exception):
    """A scenario that cannot be played; the message names the key and what it takes."""

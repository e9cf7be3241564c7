"""The error that explains to its author what is wrong with a scenario."""

from __future__ import annotations


class ScenarioError(Exception):
    """The scenario cannot be played; the message names the key and the values it accepts."""

"""Names that a stranger could give a model: markup, mentions, links, formats and writing of every kind. All harmless.

They do nothing where a name is text. `HOSTILE` are names that the doors take, and that must be shown as they are;
`REFUSED` are names that no door takes.
"""

from __future__ import annotations

import json
from pathlib import Path

HOSTILE: list[str] = [json.loads(line) for line in Path(__file__).with_suffix(".jsonl").read_text().splitlines()]

_LETTERS = "\x00\x07\x08\t\n\r\x0b\x1b\x1f\x7f\x85\x9b\xad\u200b\u200e\u202e\u2028\u2029\u2066\ufeff\U000e0041"
_SEQUENCES = ("\x1b[31m", "\x1b[2J", "\x1b]0;", "\x9b31m", "\x1b(0")
REFUSED = [*(f"gpt{letter}4" for letter in _LETTERS), *(f"{sequence}canary" for sequence in _SEQUENCES)]

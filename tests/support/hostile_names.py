"""Names that an attacker could give a model: markup, mentions, links, formats and scripts of every kind. All harmless.

They have no effect where a name is treated as text. `HOSTILE` are names that every entry point accepts, in their normal
form, and that must be shown as they are; `REFUSED` are names that every entry point refuses.
"""

from __future__ import annotations

import json
from pathlib import Path

from streams.contracts.names import normalised

_WRITTEN = [json.loads(line) for line in Path(__file__).with_suffix(".jsonl").read_text().splitlines()]
HOSTILE: list[str] = list(dict.fromkeys(map(normalised, _WRITTEN)))

_LETTERS = "\x00\x07\x08\x1b\x7f\x9b\xad\u200e\u202e\u2066\U000e0041"
_SEQUENCES = ("\x1b[31m", "\x1b[2J", "\x1b]0;", "\x9b31m", "\x1b(0")
REFUSED = [*(f"gpt{letter}4" for letter in _LETTERS), *(f"{sequence}canary" for sequence in _SEQUENCES)]

"""Names that people read: which are taken at a door, and how any other text is shown."""

import json
import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.names import NAME_PATTERN, as_json_escapes, shown, unprintable

JOINER = "\u200d"


def test_it_is_unicodes_controls_formats_and_separators_without_the_joiner():
    for number in range(sys.maxunicode + 1):
        letter = chr(number)
        refused = unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp") and letter != JOINER
        if refused:
            assert unprintable(letter), hex(number)
        elif unicodedata.category(letter) != "Cn":  # a later Unicode than this Python's may say what it is
            assert not unprintable(letter), hex(number)


@pytest.mark.parametrize(
    "name", ["gpt-4", "é", "𝕏", "क्\u200dष", "👩\u200d💻", "مدل", "模型", "a b", "a\u00a0b", "[/x]", "<b>", ""]
)
def test_what_people_write_is_a_name_and_is_shown_as_it_is(name):
    assert unprintable(name) is None
    assert shown(name) == name


@given(st.text())
def test_what_is_shown_can_be_shown_and_the_schema_says_the_same(text):
    assert unprintable(shown(text)) is None
    shown(text).encode()
    assert bool(re.search(NAME_PATTERN, text)) == (unprintable(text) is None) or text.endswith("\n")


@given(st.dictionaries(st.text(), st.text()), st.sampled_from([None, 1]))
def test_json_says_the_same_and_does_nothing_to_a_terminal(value, indent):
    written = as_json_escapes(json.dumps(value, ensure_ascii=False, indent=indent).encode("utf-8", "replace").decode())
    assert json.loads(written) == json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    assert unprintable(written.replace("\n", "")) is None

"""Names that people read: which are taken at a door, and how any other text is shown."""

import json
import re
import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.names import (
    LABEL_PATTERN,
    NAME_PATTERN,
    TEXT_PATTERN,
    as_json_escapes,
    normalised,
    shown,
    unprintable,
)

JOINER = "\u200d"


def test_it_is_unicodes_controls_formats_and_separators_without_the_joiner() -> None:
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
def test_what_people_write_is_a_name_and_is_shown_as_it_is(name: str) -> None:
    assert unprintable(name) is None
    assert shown(name) == name


@given(st.text())
def test_what_is_shown_can_be_shown_and_the_schema_says_the_same(text: str) -> None:
    assert unprintable(shown(text)) is None
    shown(text).encode()
    assert bool(re.search(TEXT_PATTERN, text)) == (unprintable(text) is None) or text.endswith("\n")


odd_letters = st.sampled_from(
    [*"ae \n\t\x1b\x1c\xa0\xad\u0301\u0327\u200b\u200d\u2028\u202e\u2060\u3000\ufeff\u0958\u1100\u1161"]
)


def by_definition(name: str) -> str:
    """The normal form, letter by letter, as Unicode's own tables say it."""

    def at_an_end(letter: str) -> bool:
        return letter.isspace() or unicodedata.category(letter) == "Cf"

    text = unicodedata.normalize("NFC", "".join(each for each in name if each not in "\u200b\u200c\u200d\u2060\ufeff"))
    while text and at_an_end(text[0]):
        text = text[1:]
    while text and at_an_end(text[-1]):
        text = text[:-1]
    return " ".join(text.split())


@settings(max_examples=1_000)
@given(st.text(odd_letters, max_size=8) | st.text(max_size=8))
def test_the_normal_form_is_what_unicode_calls_it_and_the_schema_says_what_has_one(text: str) -> None:
    normal = normalised(text)
    assert normal == by_definition(text)
    assert normalised(normal) == normal
    assert bool(re.search(LABEL_PATTERN, text)) == (unprintable(normal) is None)
    assert bool(re.search(NAME_PATTERN, text)) == (unprintable(normal) is None and normal != "")


@pytest.mark.parametrize("name", ["GPT-4", "gpt_4", "gpt-4\u0430", "\uff47pt-4", "a/b", "[x]"])
def test_names_that_only_look_alike_stay_two(name: str) -> None:
    assert normalised(name) == name


def test_a_megabyte_of_blanks_is_no_work() -> None:
    assert normalised("a" + " \u200e" * 500_000 + "b\n" * 2)[-3:] == "b b"


@given(st.dictionaries(st.text(), st.text()), st.sampled_from([None, 1]))
def test_json_says_the_same_and_does_nothing_to_a_terminal(value: Any, indent: int | None) -> None:
    written = as_json_escapes(json.dumps(value, ensure_ascii=False, indent=indent).encode("utf-8", "replace").decode())
    assert json.loads(written) == json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    assert unprintable(written.replace("\n", "")) is None

import math
from typing import Any

import msgspec
import pytest

from streams.contracts.arena_settings import InvalidTables, documented
from streams.fairness.settings import FairnessSettings, battles_between_pages, read_settings


def test_the_default_is_one_false_page_a_year_at_a_hundred_thousand_battles_a_day() -> None:
    settings = FairnessSettings()
    assert settings.ticks_between_pages == 3.65e5
    assert (settings.delta, settings.notice_days, settings.private_cap, settings.retraction_votes) == (0.2, 14, 3, 300)


@pytest.mark.parametrize(
    ("words", "battles"),
    [
        ("one a year at 100,000 battles a day", 3.65e7),
        ("Once  per month at 1_000 battles per hour", 730_000),
        ("2 false pages every week at 0.5 battles a second", 151_200),
        ("one in 1,000,000 battles", 1e6),
        ("3 in 3e6 battles", None),
        ("often", None),
        ("one a fortnight at 5 battles a day", None),
        ("some a year at 5 battles a day", None),
        ("0 a year at 5 battles a day", None),
        ("one a year at 0 battles a day", None),
    ],
)
def test_words_say_how_often_a_page_may_be_false(words: str, battles: float | None) -> None:
    if battles is None:
        with pytest.raises(ValueError):
            battles_between_pages(words)
    else:
        assert battles_between_pages(words) == pytest.approx(battles)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"default": {"delta": "wide"}}, r"default: .*\$\.delta"),
        ({"default": {"detla": 0.1}}, r"default: .*detla"),
        ({"default": {"false_pages": "never"}}, "say it like"),
        ({"default": {"review_battles": 150}}, "multiple of tick_battles"),
        ({"arenas": {"text": {"private_cap": -1}}}, r"arenas\.text: .*private_cap"),
        ({"arenas": {"Text!": {}}}, "not the name of an arena"),
        ({"arenas": 3}, "a table was expected"),
        ({"defaults": {}}, "unknown tables"),
    ],
)
def test_settings_that_cannot_be_used_say_where_and_why(given: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidTables, match=message):
        read_settings(given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"delta": 7}, r"Expected `float` < 1.0 - at `\$.delta`"),
        ({"delta": math.nan}, r"Expected `float` .* - at `\$.delta`"),
        ({"tick_battles": 0}, r"Expected `int` >= 1 - at `\$.tick_battles`"),
        ({"private_cap": "3"}, r"Expected `int`, got `str` - at `\$.private_cap`"),
        ({"false_pages": 3}, r"Expected `str`, got `int` - at `\$.false_pages`"),
    ],
)
def test_settings_made_in_python_are_refused_like_those_of_a_file(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FairnessSettings(**given)
    with pytest.raises(InvalidTables, match=message):
        read_settings({"default": given})


def test_a_whole_number_is_the_same_setting_as_its_float() -> None:
    assert FairnessSettings(notice_days=7).digest == FairnessSettings(notice_days=7.0).digest


def test_an_arena_has_the_defaults_but_for_what_is_written_for_it() -> None:
    book = read_settings({"default": {"delta": 0.1, "private_cap": 1}, "arenas": {"text": {"private_cap": 2}}})
    assert (book.of("text").delta, book.of("text").private_cap) == (0.1, 2)
    assert (book.of("other").delta, book.of("other").private_cap) == (0.1, 1)


def test_other_settings_have_another_digest() -> None:
    assert FairnessSettings().digest == FairnessSettings().digest
    assert FairnessSettings().digest != FairnessSettings(delta=0.25).digest


def test_every_setting_is_documented() -> None:
    rows = documented(FairnessSettings)
    assert [name for name, _, _ in rows] == list(FairnessSettings.__struct_fields__)
    assert all(text.endswith(".") for _, _, text in rows)
    read = {name: msgspec.convert(getattr(FairnessSettings(), name), object) for name, _, _ in rows}
    assert read_settings({"default": read}).default == FairnessSettings()

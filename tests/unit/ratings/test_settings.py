"""The ratings settings of a file: read per arena, and refused in one sentence that names the place."""

import math
from pathlib import Path
from typing import Any

import pytest

from streams.contracts.arena_settings import documented
from streams.contracts.settings import InvalidSetting, Settings
from streams.ratings.settings import RatingsSettings
from streams.ratings.stage import read_book


def book_of(tmp_path, text):
    path = tmp_path / "ratings.toml"
    path.write_text(text)
    return read_book(Settings.from_env({"ISONOMY_RATINGS_FILE": str(path)}).fold)


def test_without_a_file_the_defaults_hold():
    assert read_book(Settings.from_env({}).fold).of("text") == RatingsSettings()


def test_an_arena_differs_in_what_it_says(tmp_path):
    book = book_of(
        tmp_path, '[default]\nleast_votes = 50\n[arenas.text]\nanchors = ["ash", "birch"]\nanchor_rating = 1200'
    )
    assert book.of("text") == RatingsSettings(least_votes=50, anchors=("ash", "birch"), anchor_rating=1200.0)
    assert book.of("vision") == RatingsSettings(least_votes=50)


def test_anchors_are_named_as_votes_are_counted(tmp_path):
    text = '[default]\nanchors = ["cafe\u0301  9b", "ash\u200b"]'
    assert book_of(tmp_path, text).of("text").anchors == ("caf\u00e9 9b", "ash")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[default]\nleast = 5", "default: .*least"),
        ("[arenas.text]\nwidest = -1", r"arenas\.text: .*widest"),
        ('[default]\nanchors = ["ash", "ash"]', "anchors are different models"),
        ('[default]\nanchors = ["ash", "ash "]', "anchors are different models"),
        ("[default]\nanchors = 3", "anchors"),
        ("nonsense", "ISONOMY_RATINGS_FILE"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(tmp_path, text, place):
    with pytest.raises(InvalidSetting, match=place):
        book_of(tmp_path, text)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"least_votes": -5}, r"Expected `int` >= 0 - at `\$.least_votes`"),
        ({"least_votes": "x"}, r"Expected `int`, got `str` - at `\$.least_votes`"),
        ({"anchors": "birch"}, r"Expected `array`, got `str` - at `\$.anchors`"),
        ({"anchors": [""]}, r"Expected `str` of length >= 1 - at `\$.anchors\[0\]`"),
        ({"anchor_rating": math.nan}, r"Expected `float` .* - at `\$.anchor_rating`"),
    ],
)
def test_settings_made_in_python_are_refused_like_those_of_a_file(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RatingsSettings(**given)


def test_settings_made_in_python_are_those_of_a_file(tmp_path: Path) -> None:
    of_python = RatingsSettings(anchors=["birch", "ash"], widest=100)  # type: ignore[arg-type]
    of_file = book_of(tmp_path, '[default]\nanchors = ["birch", "ash"]\nwidest = 100').default
    assert of_python == of_file
    assert isinstance(of_python.widest, float)


def test_every_setting_is_documented():
    assert [name for name, _, _ in documented(RatingsSettings)] == list(RatingsSettings.__struct_fields__)

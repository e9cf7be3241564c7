"""Settings are read once, and what cannot be used is refused by the name of its variable."""

from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import get_type_hints

import pytest

from streams.contracts.security import KafkaSecurity, SaslMechanism
from streams.contracts.settings import InvalidSetting, Settings, documented

KINDS = get_type_hints(Settings)
VARIABLES = {each.name: each.metadata["env"] for each in fields(Settings)}
NUMBERS = [name for name in VARIABLES if KINDS[name] in (int, float)]
WHOLE = [name for name in NUMBERS if KINDS[name] is int]
TEXTS = [name for name in VARIABLES if KINDS[name] is str]
OPTIONAL_PATHS = [name for name in VARIABLES if KINDS[name] == Path | None]
SWITCHES = [name for name in VARIABLES if KINDS[name] is bool]
CHOICES = {
    name: choices
    for name in VARIABLES
    for choices in (KafkaSecurity, SaslMechanism)
    if KINDS[name] in (choices, choices | None)
}
TOGETHER = {"kafka_username", "redis_username"} | {
    name for name in OPTIONAL_PATHS if name.startswith(("kafka_", "redis_"))
}
"""Of use only beside others: tests/unit/contracts/test_connect.py."""


def read(name: object, text: str):
    return getattr(Settings.from_env({VARIABLES[name]: text}), name)


def refusal(name: str, text: str) -> str:
    with pytest.raises(InvalidSetting, match=VARIABLES[name]) as refused:
        read(name, text)
    return str(refused.value)


def test_nothing_given_means_the_defaults() -> None:
    assert Settings.from_env({}) == Settings()


def test_an_empty_variable_is_not_given() -> None:
    assert Settings.from_env(dict.fromkeys(VARIABLES.values(), "")) == Settings()


def test_every_kind_of_field_is_covered_here() -> None:
    assert len(NUMBERS) + len(TEXTS) + len(OPTIONAL_PATHS) + len(SWITCHES) + len(CHOICES) == len(VARIABLES)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_read(name: str) -> None:
    assert read(name, "7") == 7
    assert type(read(name, "7")) is KINDS[name]


@pytest.mark.parametrize("name", sorted(set(TEXTS) - TOGETHER))
def test_a_text_is_read_as_it_is(name: str) -> None:
    assert read(name, " any:text ") == " any:text "


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("text", ["seven", "1,5", "0x10", "1 2"])
def test_what_is_no_number_is_refused(name: str, text: str) -> None:
    wanted = "whole number" if KINDS[name] is int else "number"
    assert refusal(name, text) == f"{VARIABLES[name]}={text!r} is not a {wanted}"


@pytest.mark.parametrize("name", WHOLE)
def test_a_part_of_a_whole_number_is_refused(name: str) -> None:
    refusal(name, "1.5")


@pytest.mark.parametrize("name", NUMBERS)
def test_a_negative_number_is_refused(name: str) -> None:
    assert "negative" in refusal(name, "-1")


@pytest.mark.parametrize("name", [name for name in NUMBERS if KINDS[name] is float])
@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999"])
def test_a_number_that_is_not_finite_is_refused(name: object, text: str) -> None:
    refusal(name, text)


@pytest.mark.parametrize("name", [name for name in NUMBERS if name.endswith("_port")])
def test_a_port_beyond_the_last_is_refused(name: object) -> None:
    """A server would take the number modulo 65,536, and listen where nobody looks."""
    assert read(name, "65535") == 65535
    assert "must not be above 65535" in refusal(name, "65536")


@pytest.mark.parametrize("name", ["replication", "fetch_records", "refresh_share"])
def test_zero_is_refused_where_nothing_would_work(name: str) -> None:
    assert "zero" in refusal(name, "0")


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize(("text", "value"), [("1", True), ("TRUE", True), ("on", True), ("no", False), ("Off", False)])
def test_a_truth_is_read_in_many_words(name: str, text: str, value: bool) -> None:
    assert read(name, text) is value


@pytest.mark.parametrize("text", ["2", "maybe", " true", "-1"])
def test_half_a_truth_is_refused(text: str) -> None:
    assert refusal("reweighted", text) == f"ISONOMY_REWEIGHTED={text!r} is neither true nor false"


@pytest.mark.parametrize("name", CHOICES)
def test_what_is_none_of_the_choices_is_refused_with_the_choices(name: str) -> None:
    listed = ", ".join(CHOICES[name])
    assert refusal(name, "plain text") == f"{VARIABLES[name]}='plain text' is none of {listed}"


@pytest.mark.parametrize("name", sorted(set(OPTIONAL_PATHS) - TOGETHER))
def test_a_path_is_a_path(name: str) -> None:
    assert read(name, "keys.txt") == Path("keys.txt")


def test_other_variables_are_nobodys_business() -> None:
    assert Settings.from_env({"PATH": "x", "ISONOMY_NO_SUCH": "-1"}) == Settings()


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().kafka = "elsewhere:9092"


def test_names_carry_their_prefix() -> None:
    settings = Settings(topic_prefix="t.", redis_prefix="r")
    assert (settings.topic("votes"), settings.group("intake")) == ("t.votes", "t.intake")
    assert settings.keys.arenas == "r:arenas"


def test_every_variable_is_documented_with_its_default() -> None:
    lines = documented()
    assert [variable for variable, _, _ in lines] == list(VARIABLES.values())
    assert len(set(VARIABLES.values())) == len(VARIABLES)
    assert all(text for _, _, text in lines)
    given = {variable: default for variable, default, _ in lines}
    assert Settings.from_env(given) == Settings()

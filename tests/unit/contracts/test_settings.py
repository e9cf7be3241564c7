"""Settings are read once, and what cannot be used is refused by the name of its variable."""

from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import get_type_hints

import pytest
from msgspec.structs import fields

from streams.contracts.security import KafkaSecurity, SaslMechanism
from streams.contracts.setting_groups import KafkaSettings, RedisSettings
from streams.contracts.settings import InvalidSetting, Settings, documented


def each_setting() -> Iterator[tuple[str, str, type | UnionType]]:
    for group in fields(Settings):
        kinds = get_type_hints(group.type)
        for each in fields(group.type):
            yield f"{group.name}.{each.name}", each.encode_name, kinds[each.name]


KINDS = {name: kind for name, _, kind in each_setting()}
VARIABLES = {name: variable for name, variable, _ in each_setting()}
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
TOGETHER = {"kafka.username", "redis.username"} | {
    name for name in OPTIONAL_PATHS if name.startswith(("kafka.", "redis."))
}
"""Of use only beside others: tests/unit/contracts/test_connect.py."""


def read(name, text):
    group, _, setting = name.partition(".")
    return getattr(getattr(Settings.from_env({VARIABLES[name]: text}), group), setting)


def refusal(name, text):
    with pytest.raises(InvalidSetting, match=VARIABLES[name]) as refused:
        read(name, text)
    return str(refused.value)


def test_nothing_given_means_the_defaults():
    assert Settings.from_env({}) == Settings()


def test_an_empty_variable_is_not_given():
    assert Settings.from_env(dict.fromkeys(VARIABLES.values(), "")) == Settings()


def test_every_kind_of_field_is_covered_here():
    assert len(NUMBERS) + len(TEXTS) + len(OPTIONAL_PATHS) + len(SWITCHES) + len(CHOICES) == len(VARIABLES)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_read(name):
    assert read(name, "7") == 7
    assert type(read(name, "7")) is KINDS[name]


@pytest.mark.parametrize("name", sorted(set(TEXTS) - TOGETHER))
def test_a_text_is_read_as_it_is(name):
    assert read(name, " any:text ") == " any:text "


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("text", ["seven", "1,5", "0x10", "1 2"])
def test_what_is_no_number_is_refused(name, text):
    wanted = "whole number" if KINDS[name] is int else "number"
    assert refusal(name, text) == f"{VARIABLES[name]}={text!r} is not a {wanted}"


@pytest.mark.parametrize("name", WHOLE)
def test_a_part_of_a_whole_number_is_refused(name):
    refusal(name, "1.5")


@pytest.mark.parametrize("name", NUMBERS)
def test_a_negative_number_is_refused(name):
    assert "negative" in refusal(name, "-1")


@pytest.mark.parametrize("name", [name for name in NUMBERS if KINDS[name] is float])
@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999"])
def test_a_number_that_is_not_finite_is_refused(name, text):
    refusal(name, text)


@pytest.mark.parametrize("name", [name for name in NUMBERS if name.endswith(".port")])
def test_a_port_beyond_the_last_is_refused(name):
    """A server would take the number modulo 65,536, and listen on an unexpected port."""
    assert read(name, "65535") == 65535
    assert "must not be above 65535" in refusal(name, "65536")


@pytest.mark.parametrize("name", ["kafka.replication", "intake.fetch_records", "fold.refresh_share"])
def test_zero_is_refused_where_nothing_would_work(name):
    assert "zero" in refusal(name, "0")


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize(("text", "value"), [("1", True), ("TRUE", True), ("on", True), ("no", False), ("Off", False)])
def test_a_truth_is_read_in_many_words(name, text, value):
    assert read(name, text) is value


@pytest.mark.parametrize("text", ["2", "maybe", " true", "-1"])
def test_half_a_truth_is_refused(text):
    assert refusal("fold.reweighted", text) == f"ISONOMY_REWEIGHTED={text!r} is neither true nor false"


@pytest.mark.parametrize("name", CHOICES)
def test_what_is_none_of_the_choices_is_refused_with_the_choices(name):
    listed = ", ".join(CHOICES[name])
    assert refusal(name, "plain text") == f"{VARIABLES[name]}='plain text' is none of {listed}"


@pytest.mark.parametrize("name", sorted(set(OPTIONAL_PATHS) - TOGETHER))
def test_a_path_is_a_path(name):
    assert read(name, "keys.txt") == Path("keys.txt")


def test_other_variables_are_nobodys_business():
    assert Settings.from_env({"PATH": "x", "ISONOMY_NO_SUCH": "-1"}) == Settings()


def test_settings_do_not_change():
    with pytest.raises(AttributeError, match="immutable"):
        Settings().kafka = KafkaSettings(bootstrap="elsewhere:9092")
    with pytest.raises(AttributeError, match="immutable"):
        Settings().kafka.bootstrap = "elsewhere:9092"


def test_names_carry_their_prefix():
    settings = Settings(kafka=KafkaSettings(topic_prefix="t."), redis=RedisSettings(prefix="r"))
    assert (settings.kafka.topic("votes"), settings.kafka.group("intake")) == ("t.votes", "t.intake")
    assert settings.redis.keys.arenas == "r:arenas"


def test_every_variable_is_documented_with_its_default():
    lines = [line for group in documented().values() for line in group]
    assert [variable for variable, _, _ in lines] == list(VARIABLES.values())
    assert len(set(VARIABLES.values())) == len(VARIABLES)
    assert all(text for _, _, text in lines)
    given = {variable: default for variable, default, _ in lines}
    assert Settings.from_env(given) == Settings()


@pytest.mark.parametrize("variable", ["KAFKA_SECURITY_PROTOCOL", "KAFKA_SASL_MECHANISM"])
def test_a_choice_that_is_not_utf_8_is_refused_by_name(variable: str) -> None:
    with pytest.raises(InvalidSetting, match=f"^{variable}=.* is none of "):
        Settings.from_env({"KAFKA_USERNAME": "u", variable: "\udcff"})


@pytest.mark.parametrize("variable", ["ISONOMY_ARENA_BYTES", "ISONOMY_FETCH_RECORDS"])
def test_a_whole_number_beyond_what_arrays_hold_is_refused(variable: str) -> None:
    assert Settings.from_env({variable: str(2**63 - 1)})
    with pytest.raises(InvalidSetting, match=f"^{variable}=9+ must not be above {2**63 - 1}$"):
        Settings.from_env({variable: "9" * 400})

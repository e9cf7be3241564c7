"""`isonomy intake`: its help, and mistakes for which no Kafka is asked."""

import pytest
from click.testing import CliRunner, Result

from services.cli.main import cli


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["intake", *arguments])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["show", "accept-gap"]),
        (["show"], ["what is committed", "--format"]),
        (["accept-gap"], ["TOPIC/PARTITION", "--up-to", "votes/2", "--yes"]),
    ],
    ids=lambda given: " ".join(given) or "alone",
)
def test_the_help_says_what_there_is(arguments: list[str], words: list[str]) -> None:
    told = run(*arguments, "--help")
    assert told.exit_code == 0
    assert all(word in told.output for word in words), told.output


@pytest.mark.parametrize(
    "place", ["votes", "votes/", "votes/x", "votes/-1", "votes/²", "ledger/0", "isonomy.votes/0", ""]
)
def test_a_place_that_intake_does_not_read_is_named(place: str) -> None:
    told = run("accept-gap", "--up-to", "5", "--yes", "--", place)
    assert told.exit_code == 2
    assert f"{place!r} is not votes/N or models/N" in told.output


@pytest.mark.parametrize("offset", [[], ["--up-to", "0"], ["--up-to", "all"]], ids=["none", "zero", "a word"])
def test_an_offset_is_needed_and_is_a_number_above_zero(offset: list[str]) -> None:
    told = run("accept-gap", "votes/2", *offset)
    assert told.exit_code == 2
    assert "--up-to" in told.output

"""Read scenarios, shipped ones by name and others from a TOML file; error messages name the key."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import msgspec

from services.simulate.errors import ScenarioError
from services.simulate.events import Lose, Misstate, Publish, Stratum
from services.simulate.scenario import Scenario
from streams.contracts.vote import InvalidRecord, is_arena, read_name


def shipped() -> list[str]:
    """Return the names of the scenarios in the package, sorted."""
    return sorted(each.name.removesuffix(".toml") for each in _shelf().iterdir() if each.name.endswith(".toml"))


def load_scenario(spec: str | Path) -> Scenario:
    """Read a scenario.

    Parameters
    ----------
    spec
        The name of a shipped scenario, or the path of a TOML file.

    Raises
    ------
    ScenarioError
        When the scenario is invalid; the message names the file, the key and the values it accepts.
    """
    name = str(spec)
    if "/" not in name and name in shipped():
        return read_scenario(_shelf().joinpath(f"{name}.toml").read_text("utf-8"), name)
    path = Path(spec)
    if not path.is_file():
        raise ScenarioError(f"{name}: neither a TOML file nor one of {', '.join(shipped())}")
    try:
        return read_scenario(path.read_text("utf-8"), name)
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{name}: {error}") from None


def read_scenario(text: str, where: str = "scenario") -> Scenario:
    """Read a scenario from TOML; raises `ScenarioError`, whose message starts with `where`."""
    from services.simulate.rehearsal import World

    try:
        scenario = msgspec.convert(tomllib.loads(text), Scenario)
        _check(scenario)
        World(scenario, seed=0)  # finds errors that only a rehearsal shows
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{where}: no TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise ScenarioError(f"{where}: {_plain(str(error))}") from None
    except ScenarioError as error:
        raise ScenarioError(f"{where}: {error}") from None
    return scenario


def _check(scenario: Scenario) -> None:
    if not is_arena(scenario.arena):
        raise ScenarioError(f"arena: {scenario.arena!r} is not 1 to 32 of a-z, 0-9, - and _, beginning with a-z or 0-9")
    if sum(scenario.languages.values()) > 1 + 1e-9:
        raise ScenarioError(f"languages: the shares add to {sum(scenario.languages.values()):g}, more than 1")
    _check_attacks(scenario)
    for where, name in _names(scenario):
        # Intake normalises names: the truth would name a model that is on no board.
        try:
            normal = read_name("name", name, 128, 0)
        except InvalidRecord as error:
            raise ScenarioError(f"{where}: {error.detail}") from None
        if normal != name:
            raise ScenarioError(f"{where}: {name!r} is counted as {normal!r}: write it so")


def _check_attacks(scenario: Scenario) -> None:
    """Refuse attacks that would do nothing, or never end."""
    for at, event in enumerate(scenario.events):
        if isinstance(event, Stratum):
            if (event.language is None) is (event.category is None):
                raise ScenarioError(f"events[{at}]: give either language or category")
            if event.language is not None and event.language not in scenario.languages:
                raise ScenarioError(f"events[{at}].language: there is no language {event.language!r}")
            if event.category is not None and event.category not in scenario.categories:
                raise ScenarioError(f"events[{at}].category: there is no category {event.category!r}")
        elif isinstance(event, Lose) and event.to == "again" and event.outcome == "any":
            raise ScenarioError(f"events[{at}].to: again needs an outcome that can be avoided, win or loss")
        elif isinstance(event, Misstate) and not scenario.votes.p_pair:
            raise ScenarioError(f"events[{at}]: needs votes.p_pair = true")


def _names(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """Yield every name that is written to records, with its key."""
    for at, group in enumerate(scenario.models):
        yield f"models[{at}].name", group.name
        providers = [group.provider] if isinstance(group.provider, str) else group.provider
        yield from ((f"models[{at}].provider", each) for each in providers)
        yield f"models[{at}].family", group.family or ""
    for at, event in enumerate(scenario.events):
        if isinstance(event, Publish):
            yield f"events[{at}].as", event.name or ""
    yield from (("languages", each) for each in scenario.languages)
    yield from (("categories", each) for each in scenario.categories)


def _plain(message: str) -> str:
    """Put the key first: `models[0].count: Expected int, got str`."""
    said, at, path = message.rpartition(" - at `")
    if not at:
        return message.replace("`", "")
    key = path.rstrip("`").removeprefix("$").removeprefix(".").replace("[...]", ", one of them")
    return f"{key}: {said.replace('`', '')}" if key else said.replace("`", "")


def _shelf() -> Traversable:
    return files("services.simulate") / "scenarios"

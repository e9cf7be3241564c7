"""An error in a scenario names its key."""

from pathlib import Path

import pytest

from services.simulate import ScenarioError, World, load_scenario, read_scenario
from tests.unit.simulate.making import HEAD, TEN, event

MISTAKES = {
    "no TOML": ("name = ", "no TOML"),
    "no name": ('about = "x"\n' + TEN, "name"),
    "a bad name": ('name = "No"\nabout = "x"\n' + TEN, "name: Expected"),
    "no models": (HEAD, "models"),
    "an unknown key": (HEAD + "colour = 1\n" + TEN, "unknown field colour"),
    "an unknown key of a model": (HEAD + TEN + "wieght = 2\n", r"models\[0\]: .*unknown field wieght"),
    "a wrong type": (HEAD + TEN + 'strength = "high"\n', r"models\[0\].strength: Expected"),
    "a negative weight": (HEAD + TEN + "weight = -1\n", r"models\[0\].weight: Expected"),
    "a licence that is none": (HEAD + TEN + 'license = "free"\n', r"models\[0\].license: "),
    "a share above 1": (HEAD + "[votes]\nfinish = 2\n" + TEN, "votes.finish: Expected"),
    "two of a name": (HEAD + TEN + '[[models]]\nname = "m-01"\nprovider = "x"\n', r"models\[1\].name: there is"),
    "a name that is counted as another": (
        HEAD + TEN + '[[models]]\nname = "a  b"\nprovider = "x"\n', r"models\[1\].name: 'a  b' is counted as 'a b'"
    ),
    "a provider that is counted as another": (
        HEAD + TEN + '[[models]]\nname = "a"\nprovider = ["x", "y "]\n', r"models\[1\].provider: 'y ' is counted as 'y'"
    ),
    "a family that nobody can read": (
        HEAD + TEN + 'family = "a\\u202eb"\n', r"models\[0\].family: name holds the character U\+202E"
    ),
    "a category that is counted as another": (HEAD + '[categories]\n"a " = 0.1\n' + TEN, "categories: 'a ' is"),
    "a language that is counted as another": (HEAD + '[languages]\n"a " = 0.1\n' + TEN, "languages: 'a ' is"),
    "a new name that is counted as another": (
        HEAD + TEN + 'visibility = "private"\n' + event("publish", 9, models="m-01", **{"as": "new "}),
        r"events\[0\].as: 'new ' is counted as 'new'",
    ),
    "an arena that is none": (HEAD + 'arena = "Big Arena"\n' + TEN, "arena: "),
    "languages above 1": (HEAD + "[languages]\na = 0.7\nb = 0.7\n" + TEN, "languages: the shares add to 1.4"),
    "nine categories": (HEAD + "[categories]\n" + "\n".join(f"c{n} = 0.1" for n in range(9)) + TEN, "categories: "),
    "nobody at the start": (HEAD + TEN + "at = 5\n", "none joins at battle 0"),
    "one model": (HEAD + '[[models]]\nname = "m"\nprovider = "x"\n', r"models\[0\]: fewer than two"),
    "an unknown kind": (HEAD + TEN + event("vanish", 1), r"events\[0\].kind: Invalid value 'vanish'"),
    "no battle": (HEAD + TEN + '[[events]]\nkind = "remove"\n', r"events\[0\]: .*missing required field at"),
    "a key of another kind": (HEAD + TEN + event("remove", 1, factor=2), r"events\[0\]: .*unknown field factor"),
    "nobody matches": (HEAD + TEN + event("remove", 1, models="x-*"), r"events\[0\].models: no model matches 'x-\*'"),
    "nobody of the provider": (HEAD + TEN + event("remove", 1, provider="x"), r"events\[0\]: none of these models"),
    "too many": (HEAD + TEN + event("remove", 1, count=11), r"events\[0\].count: 11 models .* 10 are left"),
    "all gone": (HEAD + TEN + event("remove", 1, count=9), r"events\[0\]: fewer than two models .* at battle 1"),
    "notice too late": (HEAD + TEN + event("retire", 9, models="m-1*", notice_days=1), r"events\[0\].at: a notice"),
    "retired twice": (HEAD + TEN + 2 * event("retire", 9, models="m-01"), r"events\[1\]: 'm-01' is retired already"),
    "a removal that is no secret": (
        HEAD + TEN + event("deprecate", 1, models="m-01") + event("remove", 2, models="m-01"),
        r"events\[1\]: 'm-01' is not active",
    ),
    "public already": (HEAD + TEN + event("publish", 9, models="m-01"), r"events\[0\]: 'm-01' is public already"),
    "a name that is taken": (
        HEAD + TEN + event("publish", 9, models="m-01", **{"as": "m-02"}),
        r"events\[0\].as: there is another model 'm-02'",
    ),
    "two under one name": (
        HEAD + TEN + 'visibility = "private"\n' + event("publish", 9, **{"as": "new"}),
        r"events\[0\].as: 10 models cannot",
    ),
    "a favourite nobody knows": (
        HEAD + TEN + event("flood", 9, battles=5, favours="x"),
        r"events\[0\].favours: there is no model 'x'",
    ),
    "a language of nobody": (HEAD + TEN + event("stratum", 9, language="xx"), r"events\[0\].language: there is no"),
    "a category of nobody": (HEAD + TEN + event("stratum", 9, category="xx"), r"events\[0\].category: there is no"),
    "no stratum": (HEAD + TEN + event("stratum", 9), r"events\[0\]: give either language or category"),
    "votes without end": (HEAD + TEN + event("lose", 9, part=1, to="again"), r"events\[0\].to: again needs an outcome"),
    "no probabilities": (HEAD + TEN + event("misstate", 9, factor=0.5), r"events\[0\]: needs votes.p_pair"),
    "an attack on nobody": (
        HEAD + TEN + event("side", 9, models="n") + '[[models]]\nname = "n"\nprovider = "x"\nat = 10\n',
        r"events\[0\]: none of these models is in the arena by battle 9",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_told_by_their_key(text: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=f"^mine: (.*){said}"):
        read_scenario(text, "mine")


def test_what_is_not_there_is_told_with_what_is() -> None:
    with pytest.raises(ScenarioError, match=r"no-such: neither a TOML file nor one of .*healthy"):
        load_scenario("no-such")


def test_a_file_is_read_like_a_shipped_one(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(HEAD + TEN)
    assert load_scenario(path).name == "made"
    path.write_bytes(b"\xff")
    with pytest.raises(ScenarioError, match=r"mine\.toml"):
        load_scenario(str(path))


def test_an_arena_or_seed_that_cannot_be_is_refused() -> None:
    scenario = load_scenario("healthy")
    with pytest.raises(ScenarioError, match="arena"):
        World(scenario, 0, arena="Text")
    with pytest.raises(ScenarioError, match="seed"):
        World(scenario, -1)

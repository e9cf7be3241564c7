"""The response lists names of a subscription that no arena shows: misspelt, they would never match."""

from typing import Any

import jsonschema
import msgspec
import pytest

from services.herald.api.openapi import subscription_document
from services.herald.api.views import show_changed, show_new
from services.herald.rules.unknown import MOST_TOLD, ShownNames, warnings
from streams.contracts.alert import Kind
from streams.contracts.subscription import Match
from tests.support.herald import make_subscription

KNOWN = ShownNames({"text", "code"}, {"gpt-4", "ash"}, {"Oak Labs"})
UNLESS = "nothing is told of it unless it appears"


@pytest.mark.parametrize(
    ("match", "said"),
    [
        ({}, []),
        ({"kinds": (Kind.RANK_CHURN,)}, []),
        ({"arena": "text", "models": ("gpt-4",), "providers": ("Oak Labs",)}, []),
        (
            {"arena": "txt", "models": ("x",)},
            ["match.arena: there is no arena 'txt' yet: nothing is told unless it appears"],
        ),
        ({"models": ("gpt-5",)}, [f"match.models: 'gpt-5' is shown in no arena: {UNLESS}"]),
        ({"models": ("GPT 4",)}, [f"match.models: 'GPT 4' (is it 'gpt-4'?) is shown in no arena: {UNLESS}"]),
        ({"arena": "text", "models": ("ash", "x")}, [f"match.models: 'x' is not shown in arena text: {UNLESS}"]),
        (
            {"models": ("x",), "providers": ("oak-labs",)},
            [
                f"match.models: 'x' is shown in no arena: {UNLESS}",
                f"match.providers: 'oak-labs' (is it 'Oak Labs'?) is shown in no arena: {UNLESS}",
            ],
        ),
        (
            {"providers": ("x", "y")},
            ["match.providers: 'x', 'y' are shown in no arena: nothing is told of them unless they appear"],
        ),
    ],
)  # fmt: skip
def test_what_no_arena_shows_is_named_with_what_looks_like_it(match: dict[str, Any], said: list[str]) -> None:
    assert warnings(Match(**match), KNOWN) == said


def test_while_nothing_can_be_read_that_is_said_and_not_that_all_is_known() -> None:
    assert warnings(Match(), None) == []
    (said,) = warnings(Match(models=("ash",)), None)
    assert "cannot be said now" in said
    (said,) = warnings(Match(models=("x",)), KNOWN._replace(whole=False))
    assert said.endswith("not all that is shown can be read now")


def test_a_hundred_names_make_one_sentence() -> None:
    (said,) = warnings(Match(models=tuple(f"x-{n}" for n in range(100))), KNOWN)
    assert f"and {100 - MOST_TOLD} more are shown in no arena" in said
    assert len(said) < 300


def test_the_answer_has_them_and_the_document_says_so() -> None:
    paths, schemas = subscription_document()
    subscription = make_subscription("s", "https://hooks.example.com/", models=("x",))
    changed, new = show_changed(subscription, ["match"]), show_new(subscription, ["match"], None)
    for shown, name in ((changed, "ChangedSubscription"), (new, "ChangedSubscription"), (new, "NewSubscription")):
        content = msgspec.json.decode(msgspec.json.encode(shown))
        assert content["warnings"] == ["match"]
        schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
        jsonschema.Draft202012Validator(schema).validate(content)
    for method in ("put", "patch"):
        answer = paths["/v1/subscriptions/{id}"][method]["responses"]["200"]["content"]["application/json"]
        assert answer["schema"]["$ref"].endswith("/ChangedSubscription")

"""Boards, fairness views and alerts as the workers publish them."""

from typing import Any

import msgspec

from streams.contracts.alert import Alert, Kind, Severity, Status, Subject
from streams.contracts.judged import Judged, Unjudged
from streams.contracts.view import Board, Position, RatedModel, Solver

encode = msgspec.json.encode


def board(*models: str, arena: str = "text", name: str = "overall", votes: int = 10, ledger: int = 1) -> bytes:
    """A board; each model is 10 points below the one before, and Davidson and Elo have other orders."""
    lines = [
        RatedModel(
            model=model,
            rank=at + 1,
            rating=1000.0 - 10 * at,
            lower=990.0 - 10 * at,
            upper=1010.0 - 10 * at,
            davidson=None if at == 0 else 1000.0 + 10 * at,
            elo=1000.0 + (at * 7) % 5,
            votes=votes,
            battles=votes,
            provisional=False,
        )
        for at, model in enumerate(models or ("ash", "birch", "cedar"))
    ]
    solver = Solver(components=1, iterations=3, gradient_norm=0.0, provisional=0)
    return encode(Board(arena, name, votes, votes, 7.5, Position(ledger, {"votes/0": votes}), solver, lines))


def alert(number: int = 1, *, status: Status = Status.FIRING, model: str = "ash", **fields: Any) -> Alert:
    return Alert(
        **{
            "id": f"f{number}-{number}",
            "fingerprint": f"f{number}",
            "arena": "text",
            "kind": Kind.SILENT_REMOVAL,
            "severity": Severity.CRITICAL,
            "status": status,
            "subject": Subject(model=model),
            "starts_at": 100.0 + number,
            "detected_at": 200.0 + number,
            "ends_at": 300.0 + number if status is Status.RESOLVED else None,
            "summary": f"Model {model} is gone",
            "evidence": {"log10_e": 7.1, "battles": 40},
            "runbook_url": "docs/runbooks/silent_removal.md",
            "version": 1,
            **fields,
        }
    )


def alerts_view(*alerts: Alert, arena: str = "text", ledger: int = 1) -> bytes:
    position = {"ledger": ledger, "watermark": {}}
    return encode({"arena": arena, "as_of": 7.5, "position": position, "alerts": alerts})


JUDGED = [
    Judged(Kind.SHARE_DRIFT, judged=True, subjects=3, since=5.0, since_battle=0),
    Judged.not_yet(Kind.PROMPT_REUSE, Unjudged.NO_PROMPTS),
]


def fairness_view(*models: str, arena: str = "text", ledger: int = 1, **fields: Any) -> bytes:
    lines = [{"model": model, "state": "active", "log10_e": 0.5} for model in models or ("ash", "birch", "cedar")]
    position = {"ledger": ledger, "watermark": {}}
    view = {"arena": arena, "as_of": 7.5, "position": position, "votes": 10, "battles": 10, "models": lines}
    return encode({**view, "declares": True, "judged": JUDGED, **fields})

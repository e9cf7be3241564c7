"""The alert: what the arena did, to whom, since when, and the evidence; one record of the `alerts` topic."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

VERSION = 1
"""Version of the alert's fields."""

RUNBOOKS = "docs/runbooks"
"""Default location of the runbooks, in this repository; the operator may set where they are served."""


class Kind(StrEnum):
    """What an alert is about: a closed set, in the order in which one place of the ledger reports them."""

    FEED_STALLED = "feed_stalled"
    """Silence far beyond the arena's rhythm, only battles nobody voted on, or most models stopped at once."""
    SILENT_REMOVAL = "silent_removal"
    """Declared active with a weight, and gone from the battles."""
    SHARE_DRIFT = "share_drift"
    """Share of battles below or above what the declared weights say."""
    UNANNOUNCED_RETIREMENT = "unannounced_retirement"
    """Taken out by a notice, without the required deprecation notice before it."""
    PRIVATE_VARIANTS = "private_variants"
    """More private variants of a provider in play at once than the arena allows."""
    SCORE_RETRACTION = "score_retraction"
    """Withdrawn with enough votes for a score that no public board ever showed."""
    BEST_OF_N = "best_of_n"
    """Published as one of several privately tested variants."""
    DATA_INEQUALITY = "data_inequality"
    """A provider or licence class takes more of the data than the arena's bound."""
    RETIREMENT_BIAS = "retirement_bias"
    """Models of one licence class leave more often than chance explains."""
    GRAPH_FRAGILE = "graph_fragile"
    """Ranks that hang on old votes only, or models that recent votes cannot compare."""
    RANK_CHURN = "rank_churn"
    """The first place changes hands more often than overlapping intervals explain."""
    PROMPT_REUSE = "prompt_reuse"
    """More repeated prompts than the arena's own baseline."""
    UNDECLARED_MODEL = "undeclared_model"
    """In battles without a declared weight, though the arena declares its models."""
    DRAWS_UNCLEAR = "draws_unclear"
    """Votes come in bunches that nothing ties to draws, or one draw's id comes with several pairs of models."""
    POLICY_TOO_BUSY = "policy_too_busy"
    """Notices change the declared weights so often that fewer than half of the battles can be judged."""
    DECLARED_PROBABILITY_WRONG = "declared_probability_wrong"
    """The probability of a pair that a vote gives is not the one that the declared weights imply."""
    NAME_FLOOD = "name_flood"
    """Many names in battles that were never seen and never declared."""
    VOTE_LOSS = "vote_loss"
    """More votes refused, or battles without a vote, than the arena's own usual share."""
    VOTER_MANIPULATION = "voter_manipulation"
    """A voter votes for a model, or against it, whatever the answers are."""
    REPEATED_VOTES = "repeated_votes"
    """The same voter, pair and prompt are told again and again under new ids."""
    PAIRING_BIAS = "pairing_bias"
    """Opponents of a model are not those that the declared weights give it: weaker, stronger, or of other makers."""
    SIDE_BIAS = "side_bias"
    """A model is shown on one side more often than the other, or the sides of an arena follow who the models are."""
    STRATUM_REMOVAL = "stratum_removal"
    """A model is missing from the battles of a language or category, though not from the others."""
    RESULT_BREAK = "result_break"
    """A model wins more or less often than its rating and those of its opponents explain."""
    SIDE_PREFERENCE = "side_preference"
    """Votes for the left answer are more or less frequent than they used to be."""
    WHOLE_POLICY = "whole_policy"
    """The battles do not follow the declared weights, by many deviations that are no alert each."""


class Severity(StrEnum):
    """How much it matters."""

    INFO = "info"
    """Worth knowing; nobody is called."""
    WARNING = "warning"
    """Look at it today."""
    CRITICAL = "critical"
    """A page: false pages of the statistical kinds stay below the number that the operator chose."""


class Status(StrEnum):
    """Where an alert is in its life."""

    FIRING = "firing"
    """True now; repeated with new evidence while it lasts, under the same id."""
    RESOLVED = "resolved"
    """Over: evidence of recovery, or the cause was declared."""


class Subject(msgspec.Struct, frozen=True, omit_defaults=True):
    """The subject of an alert: one of the four fields, or none of them when it is the arena itself.

    `voter` is the beginning of a hash of the vote's `voter`, see `voter_name`; a refusal's reason has no field, it is
    in the evidence.
    """

    model: str | None = None
    provider: str | None = None
    license: str | None = None
    voter: str | None = None

    @property
    def field(self) -> str:
        """`model`, `provider`, `license`, `voter`, or `arena`.

        >>> Subject(provider="x").field, Subject().field
        ('provider', 'arena')
        """
        for field in ("model", "provider", "license", "voter"):
            if getattr(self, field) is not None:
                return field
        return "arena"

    @property
    def name(self) -> str:
        """The name in that field; empty for the arena."""
        return self.model or self.provider or self.license or self.voter or ""


def voter_name(voter: str) -> str:
    """Return the name of a voter in alerts: the first 16 hexadecimal digits of the SHA-256 of the vote's `voter`.

    Alerts are public. An arena sends opaque voters, but may send by mistake what identifies a person; whoever has the
    votes finds the voter by hashing theirs.

    >>> voter_name("5e1f")
    'f2ecc2d52af33f5a'
    """
    return hashlib.sha256(voter.encode()).hexdigest()[:16]


EvidenceValue = float | int | str | list[str]
"""One number, word or list of names in an alert's evidence."""

Evidence = dict[str, EvidenceValue]
"""Evidence by name; docs/methods lists the names for each kind."""


class Alert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One statement of an alert. Times are epoch seconds on the clock of the votes (`tstamp`)."""

    id: Annotated[str, Meta(description="Fingerprint and onset: the same in every replay of the same ledger.")]
    fingerprint: Annotated[str, Meta(description="Arena, kind and subject; the record key.")]
    arena: str
    kind: Kind
    severity: Severity
    status: Status
    subject: Subject
    starts_at: Annotated[float, Meta(description="Estimated beginning.")]
    detected_at: Annotated[float, Meta(description="When the evidence first sufficed.")]
    ends_at: Annotated[float, Meta(description="When it was over.")] | None = None
    summary: Annotated[str, Meta(description="One sentence with the numbers.")]
    evidence: Evidence
    runbook_url: str
    version: int


def fingerprint(arena: str, kind: Kind, subject: Subject) -> str:
    """Hash arena, kind and subject to 32 hexadecimal digits, which are valid in any key, header and file name.

    >>> fingerprint("text", Kind.SILENT_REMOVAL, Subject(model="x"))
    'b75fe83190e4b3144cd344580e36c626'
    """
    # Names are free text: the separator is a byte that UTF-8 never holds, so no two subjects share a fingerprint.
    words = b"\xff".join(word.encode() for word in (arena, kind.value, subject.field, subject.name))
    return hashlib.sha256(words).hexdigest()[:32]


def alert_id(fingerprint: str, onset: str) -> str:
    """Id of one occurrence; `onset` is its place in the arena's ledger, so the id depends on nothing else."""
    return f"{fingerprint}-{onset}"


def runbook_url(kind: Kind, base: str = RUNBOOKS) -> str:
    """Return the URL or path of a kind's runbook.

    >>> runbook_url(Kind.BEST_OF_N, "https://arena.example/runbooks/")
    'https://arena.example/runbooks/best_of_n.md'
    """
    return f"{base.rstrip('/')}/{kind.value}.md"


# Keys of `evidence` are sorted, so equal alerts give equal bytes, whatever the order of insertion.
_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(Alert).decode


def encode_alert(alert: Alert) -> bytes:
    """Encode an alert; the same alert always gives the same bytes."""
    return _encode(alert)


def decode_alert(value: bytes) -> Alert:
    """Decode an alert; raises `msgspec.MsgspecError`."""
    return _decode(value)

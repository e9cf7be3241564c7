"""The page of alerts: the closed set of kinds, severities, life cycle and ids, from the docstrings of the contract."""

from __future__ import annotations

import inspect
from enum import StrEnum

import arena
from pages import make_page, make_table, member_docstrings

from streams.contracts import alert as alert_module
from streams.contracts.alert import Kind, Severity, Status


def page() -> str:
    """`alerts.md`."""
    return make_page(
        "Alerts",
        "streams/contracts/alert.py",
        "What the fairness stage tells: one record of the topic `alerts` for each statement, with the fields of"
        " [alert.schema.json](alert.schema.json); those that fire stand in Redis too, see [redis.md](redis.md). The set"
        " of kinds is closed: a new one is a change of the contract. The runbook of a kind is"
        " `docs/runbooks/<kind>.md`, its method `docs/methods/<kind>.md`.",
        "## Kinds",
        make_table(
            ("kind", "meaning", "pages"),
            [
                (f"`{kind}`", meaning, f"[runbook](../runbooks/{kind}.md), [method](../methods/{kind}.md)")
                for kind, meaning in _meanings(Kind).items()
            ],
        ),
        "Alerts of one place of the ledger come in this order.",
        "## Severity",
        make_table(("severity", "meaning"), [(f"`{name}`", text) for name, text in _meanings(Severity).items()]),
        "Only that of `share_drift` and of the kinds that look at single battles (`pairing_bias`, `side_bias`,"
        " `stratum_removal`, `result_break`, `side_preference`) changes: a warning at the level of a page of an"
        " operator who allows one false alarm in `warning_level` ticks, a page from c = K·A on. The same alert"
        " is told again, under the same id, when it becomes worse.",
        "## Life",
        make_table(("status", "meaning"), [(f"`{name}`", text) for name, text in _meanings(Status).items()]),
        "`firing`, then `firing` again with new evidence at a review (`repeat_reviews` reviews after it was"
        " last told) or"
        " with another severity, then `resolved` with `ends_at`. While it fires, `summary` and `evidence` are"
        " those of the"
        " last statement; `detected_at` stays. A problem that ends and begins again is another alert,"
        " with another id. There is at most one alert open of one fingerprint.",
        "Other settings, or a saved state that is given up for another reason, make the ledger be folded again. An"
        " alert that fired then and that the fold does not raise again is told `resolved` when the fold is through,"
        " with the time of the votes at which the old state stood as `ends_at`. Of a state that is lost or damaged"
        " nobody knows what fired: such an alert stays as it was told last. Such an end says as `detected_at` when the"
        " alert began, or when the one that fires now was detected, if that is earlier: ends and beginnings of one"
        " fingerprint follow each other by it. Raised again by yet other settings, the alert has `.2` behind its `id`.",
        "A list of names in `evidence` has at most 50, and its number stands beside it.",
        "## Ids",
        "- `fingerprint`: 32 hexadecimal digits of a hash of arena, kind and subject; the key of the record."
        " Compaction of"
        " the topic keeps the newest statement of each.\n"
        "- `id`: fingerprint, a dash, and the onset: the place in the arena's ledger where it began or was"
        " found, as a count of battles"
        " (of battles, a dot and notices where a notice or a review began it). It is a function of the ledger alone.\n"
        "- A replay of the same ledger under the same settings gives the same alerts, in the same order, byte for byte."
        " Delivery is at least once: a crash, or a fold from the start of the ledger, repeats alerts that were told."
        " Whoever must act once drops a pair of `id` and `status` that it knows.\n"
        "- One alert depends on wall time: `feed_stalled` with the cause `silence`. Its id is made of the ledger's last"
        " place, so it is the same wherever it is told; its times and numbers are those of the watcher.",
        "## Times",
        "`starts_at`, `detected_at` and `ends_at` are on the clock of the votes: the newest `tstamp` of the"
        " battles so far,"
        " epoch seconds. A replay of old votes has old times.",
        "## Example",
        "The fourth private variant of one provider, where the arena allows three:",
        arena.alert_json(),
    )


def _meanings(enum: type[StrEnum]) -> dict[str, str]:
    meanings = member_docstrings(inspect.getsource(alert_module), enum.__name__)
    return {member.value: meanings[member.name] for member in enum}

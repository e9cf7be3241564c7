"""The pages made of tables: reasons, settings, metrics, topics, and the tables inside the other documents."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from flow import PURPOSE, flows_of
from prometheus_client import Counter, Gauge, Histogram

from services.http import errors as refusal_module
from services.http.errors import STATUS, Refusal
from streams.contracts import reasons as reasons_module
from streams.contracts.arena_settings import documented as documented_tables
from streams.contracts.keys import Keys
from streams.contracts.metrics import Metrics
from streams.contracts.published_series import MOST_ALERTS, MOST_GROUPS, MOST_MODELS, PUBLISHED_SERIES, Series
from streams.contracts.reasons import Reason
from streams.contracts.setting_groups import KafkaSettings
from streams.contracts.settings import documented
from streams.contracts.topics import TOPICS
from streams.fairness.settings import FairnessSettings
from streams.ledger.codec import _COLUMNS as COLUMNS  # the one list of them; nothing else needs it
from streams.ratings.settings import RatingsSettings

_GENERATED = "Made by `docs/contracts/generate.py` from `{source}`; do not edit."


def reasons() -> str:
    """`reasons.md`: the closed sets, with the meanings that stand beside the members."""
    meanings = member_docstrings(inspect.getsource(reasons_module), Reason.__name__)
    listed = make_table(("reason", "meaning"), [(f"`{reason}`", meanings[reason.name]) for reason in Reason])
    refusals = member_docstrings(inspect.getsource(refusal_module), Refusal.__name__)
    return make_page(
        "Reasons",
        "streams/contracts/reasons.py",
        "Why a vote or a model record cannot be used. The set is closed: the header `reason` of a dead letter and the"
        " `reason` of an item that the gateway rejects are one of these words. A new one is a change of the contract.",
        listed,
        '## Refusals\n\nWhy an HTTP door refuses a whole request: the `reason` of its answer `{"error": {"reason",'
        ' "detail"}}` is one of these, or of the words above where the body, or the one record in it, cannot be used'
        " (from `services/http/errors.py`). 429 and 503 say in `Retry-After` when to try again.",
        make_table(
            ("reason", "status", "meaning"),
            [(f"`{each}`", str(STATUS[each]), refusals[each.name]) for each in Refusal],
        ),
    )


def settings() -> str:
    """`settings.md`: every variable."""
    parts: list[str] = []
    for group, variables in documented().items():
        rows = [(f"`{variable}`", f"`{default}`" if default else "", text) for variable, default, text in variables]
        parts += [f"## {group}", make_table(("variable", "default", "meaning"), rows)]
    return make_page(
        "Settings",
        "streams/contracts/setting_groups.py",
        "Every process reads these environment variables once, when it starts; an empty one is as good as none. What"
        " cannot be read as its type or lies outside its range (no number is negative) ends the process with a sentence"
        " that names the variable.",
        *parts,
    )


def fairness_settings() -> str:
    """`fairness-settings.md`: what an operator chooses for each arena."""
    rows = [(f"`{name}`", f"`{default}`", text) for name, default, text in documented_tables(FairnessSettings)]
    return make_page(
        "Fairness settings",
        "streams/fairness/settings.py",
        "The file that `ISONOMY_FAIRNESS_FILE` names is TOML: a table `default`, and a table `arenas.<arena>` for each"
        " arena that differs from it. What is not given has the default below; an unknown name or a value out of range"
        " ends the process with a sentence that names the place. The file is read when a worker starts. Alerts are a"
        " function of the ledger and of these settings, so a state that was folded under others is dropped and the"
        " ledger folded again. An example is in [operations](../operations/settings.md#fairness).",
        make_table(("setting", "default", "meaning"), rows),
    )


def ratings_settings() -> str:
    """`ratings-settings.md`: what an operator chooses for the boards of each arena."""
    rows = [(f"`{name}`", f"`{default}`", text) for name, default, text in documented_tables(RatingsSettings)]
    return make_page(
        "Ratings settings",
        "streams/ratings/settings.py",
        "The file that `ISONOMY_RATINGS_FILE` names is TOML: a table `default`, and a table `arenas.<arena>` for each"
        " arena that differs from it. What is not given has the default below; an unknown name or a value out of range"
        " ends the process with a sentence that names the place. The file is read when a worker starts. Boards and"
        " their history are a function of the ledger and of these settings, so a state that was folded under others is"
        " dropped and the ledger folded again. Fairness rates by the defaults, whatever is here. What the settings do"
        " is told in [ratings](../methods/ratings.md), and an example is in"
        " [operations](../operations/settings.md#ratings).",
        make_table(("setting", "default", "meaning"), rows),
    )


def metrics() -> str:
    """`metrics.md`: every series, as it is exposed."""
    sections, notes = _metric_comments(inspect.getsource(Metrics))
    parts: list[str] = []
    made = Metrics()
    section = ""
    rows: list[tuple[str, ...]] = []
    for attribute, series in vars(made).items():
        if not isinstance(series, (Counter, Gauge, Histogram)):
            continue
        if sections[attribute] != section:
            if rows:
                parts.append(make_table(_METRIC_HEAD, rows))
            section, rows = sections[attribute], []
            parts.append(f"## {section[0].upper()}{section[1:]}")
        rows.append(_metric_row(series, notes.get(attribute, "")))
    parts.append(make_table(_METRIC_HEAD, rows))
    parts += ["## Published views", _PUBLISHED, make_table(_METRIC_HEAD, map(_published_row, PUBLISHED_SERIES))]
    return make_page(
        "Metrics",
        "streams/contracts/metrics.py` and `published_series.py",
        "Every process serves these at `/metrics`, whether it moves them or not. A histogram `x` is exposed as"
        " `x_bucket`, `x_sum` and `x_count`; a counter or histogram has a series `_created` besides. Labels are"
        " bounded: no vote or voter is ever one, and a model only of what is published. The usual `process_`,"
        " `python_info` and `python_gc_` series are there too.",
        *parts,
    )


_METRIC_HEAD = ("series", "type", "labels", "meaning")
_PUBLISHED = (
    "Served by a board process only, made of what is in Redis at each scrape. Every board process serves all of them:"
    f" with several, take `max by (…)`, never `sum`. An arena has at most {MOST_MODELS:,} models,"
    f" {MOST_GROUPS} providers and {MOST_ALERTS} single alerts here; models with evidence against them come first,"
    " then those with most votes."
)


WRITING = """An arena may write to `votes` and `models` itself. Any client of Kafka will do, under these rules:

- **Key and partition.** The key of a vote is its id, that of a model `arena/model`, the model in its normal form. The
  partition is the one that Kafka's default partitioner chooses, murmur2 of the key (with librdkafka:
  `partitioner=murmur2_random`).
- **Ids.** An id is unique within its arena: arenas may number their votes as they like, and none can use up the ids of
  another. A duplicate is a vote of the same arena with the same id in the same partition. That is enough, for the key
  is the id alone: all votes of one arena and id have one key, and so one partition. Two arenas' votes of one id share
  it, and both count.
- **Names.** Names of models, providers, families, languages and categories are counted in their normal form: composed
  (NFC), without white space and format characters (Cf) at their ends, without marks of no width (U+200B to U+200D,
  U+2060, U+FEFF) anywhere, one blank where there is other or more white space. Names that then still differ, in letter
  case for one, or by letters that look alike, are two. Voters, prompt hashes, battles and ids are taken as they are.
- **Draws.** Several votes may be about one draw of two models, one after each turn of a conversation. They share a
  `battle`, which no other draw of the arena has. `drawn_at` is when the models were drawn: a vote that arrives long
  after its draw is held against what was declared at the draw only if it says when that was. A draw more than 5 s after
  `tstamp` is refused as `invalid_field`. Both fields are optional.
- **One record, one vote.** A field of the public data sets that says otherwise is not ignored: `anony` false is refused
  as `not_anonymous`; `count` or `weight` other than 1, `is_valid` false and `dedup_tag.sampled` false as
  `invalid_field`. Other unknown fields are ignored.
- **Compression.** none, gzip, snappy, lz4 or zstd, by the producer or by the topic's `compression.type`. A batch that
  cannot be read all the same is parked as one dead letter with its bytes (reason `unreadable`), and the rest goes on;
  so is one that holds more than 128 MiB unpacked.
- **Transactions.** What is committed is counted, once; what is aborted is not, and gets no dead letter. A transaction
  that stays open holds up all that is behind it in its partitions, whoever wrote it, until it ends or Kafka ends it
  (`transaction.max.timeout.ms`).
- **Acknowledgement.** A vote counts when Kafka has acknowledged it with `acks=all`. Sent again under its id it counts
  once.
- **Time.** The topic's `message.timestamp.type` is `LogAppendTime`: what the client sets is replaced. The horizon of
  duplicates and the check of `tstamp` against the future go by the broker's time.
- **Order.** Votes of one partition keep their order. Those of several are put in order of their record times, as far
  as they are there.
- **Tombstones.** A model record without a value takes the model off the registry; a vote without a value is a dead
  letter.

Consumer groups of Isonomy are of the classic protocol; a group of the same name that members of the protocol of
KIP-848 hold is refused at the start ([decision 11](../design/0011-consumer-groups.md)). Which versions of Kafka were
tried stands in [operations](../operations/install.md#supported-versions)."""


def topics() -> str:
    """`topics.md`: every topic with its settings and who uses it."""
    prefix = KafkaSettings().topic_prefix
    overview = make_table(
        ("topic", "key", "partitions", "written by", "read by"),
        [
            (
                f"[`{prefix}{topic.name}`](#{topic.name})",
                topic.key,
                str(topic.partitions),
                _processes(topic.name, "send"),
                _processes(topic.name, "receive"),
            )
            for topic in TOPICS
        ],
    )
    parts = [overview]
    for topic in TOPICS:
        config = [(f"`{key}`", f"`{value}`") for key, value in sorted(topic.config.items())]
        parts += [f"## {topic.name}", PURPOSE[topic.name], make_table(("setting", "value"), config)]
    return make_page(
        "Topics",
        "streams/contracts/topics.py",
        f"Names are shown with the default prefix, `ISONOMY_TOPIC_PREFIX={prefix}`; partitions are what"
        " `isonomy topics` creates unless told otherwise. Payloads are in [asyncapi.json](asyncapi.json).",
        *parts,
        "## Writing to Kafka yourself",
        WRITING,
    )


def ledger_columns() -> str:
    """Table of a block's columns."""
    rows = [(f"`{name}`", f"`{dtype}`", *_COLUMN_MEANING[name]) for name, dtype in COLUMNS.items()]
    return make_table(("column", "dtype", "there", "value"), rows)


_COLUMN_MEANING = {
    "model_a": ("always", "code into `models`: the model shown on side A"),
    "model_b": ("always", "code into `models`: side B"),
    "winner": ("always", "0 `model_a`, 1 `model_b`, 2 `tie`, 3 `both_bad`, 4 `none` (shown, not voted on)"),
    "tstamp": ("always", "epoch seconds, as the arena said"),
    "partition": ("always", "partition of the `votes` topic that the row came from"),
    "offset": ("always", "its offset there"),
    "recorded": ("always", "epoch milliseconds at which it arrived at the broker"),
    "language": ("optional", "code into `languages`, 0 = absent"),
    "categories": ("optional", "code into `category_sets`, 0 = absent"),
    "voter": ("optional", "code into `voters`, 0 = absent"),
    "prompt": ("optional", "code into `prompts` (the vote's `prompt_hash`), 0 = absent"),
    "battle": ("optional", "code into `battles`: the draw of two models that the vote is about, 0 = absent"),
    "p_pair": ("optional", "probability with which the pair was drawn, NaN = absent"),
    "drawn_at": ("optional", "epoch seconds when the two models were drawn, NaN = absent"),
    "style": (
        "optional",
        "8 a row: `tokens_a`, `tokens_b`, `headers_a`, `headers_b`, `lists_a`, `lists_b`, `bolds_a`, `bolds_b`;"
        " all -1 = absent",
    ),
}


def redis_keys() -> str:
    """Table of the Redis keys."""
    keys = Keys()
    shown = {
        "arenas": keys.arenas,
        "boards": keys.boards("<arena>"),
        "board": keys.board("<arena>", "<board>"),
        "fairness": keys.fairness("<arena>"),
        "alerts": keys.alerts("<arena>"),
        "history": keys.history("<arena>", "<part>"),
        "stopped": keys.stopped("<arena>", "<fold>"),
        "release": keys.release("<arena>", "<fold>"),
        "changed": keys.changed("<arena>"),
        "state": keys.state("<arena>", "<fold>"),
        "partition": keys.partition(0, "<fold>").replace(":0:", ":<partition>:"),
        "shown": keys.shown(0).replace(":0:", ":<partition>:"),
        "lagging": keys.lagging(0).replace(":0:", ":<partition>:"),
    }
    known = {name for name, member in vars(Keys).items() if inspect.isfunction(member) or isinstance(member, property)}
    if undocumented := {name for name in known if not name.startswith("_")} - set(shown):
        raise ValueError(f"no example of the keys {', '.join(sorted(undocumented))}")
    rows = []
    for name, key in shown.items():
        match = re.match(r"(Set|String|Hash|Pub/sub channel):? (.+)", inspect.getdoc(getattr(Keys, name)) or "")
        if match is None:
            raise ValueError(f"the docstring of Keys.{name} does not begin with a type")
        rows.append((f"`{key}`", match[1], match[2]))
    return make_table(("key", "type", "content"), rows)


def _processes(topic: str, action: str) -> str:
    return ", ".join(dict.fromkeys(f"`{flow.process}`" for flow in flows_of(topic, action))) or "nobody yet"


def member_docstrings(source: str, name: str) -> dict[str, str]:
    """Meaning of each member of an enum: the string that follows it in the source."""
    (body,) = (node.body for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == name)
    meanings = {}
    for member, text in pairwise(body):
        if isinstance(member, ast.Assign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            meanings[ast.unparse(member.targets[0])] = inspect.cleandoc(str(text.value.value))
    return meanings


def _metric_comments(source: str) -> tuple[dict[str, str], dict[str, str]]:
    """Section and note of each series: the ruled comment above it, and the comment right above it."""
    sections: dict[str, str] = {}
    notes: dict[str, str] = {}
    section = ""
    note: list[str] = []
    for line in map(str.strip, source.splitlines()):
        if rule := re.match(r"# --- (.+?) -+$", line):
            section, note = rule[1], []
        elif line.startswith("# "):
            note.append(line[2:])
        else:
            if made := re.match(r"self\.(\w+) = self\._(?:counter|gauge|histogram)\(", line):
                sections[made[1]] = section
                if note:
                    notes[made[1]] = " ".join(note)
            note = []
    return sections, notes


def _metric_row(series: Counter | Gauge | Histogram, note: str) -> tuple[str, ...]:
    (described,) = series.describe()
    name = f"{described.name}_total" if isinstance(series, Counter) else described.name
    labels = ", ".join(f"`{label}`" for label in series._labelnames)  # the client has no public way to ask
    return f"`{name}`", described.type, labels, f"{described.documentation} {note}".strip()


def _published_row(series: Series) -> tuple[str, ...]:
    return f"`{series.name}`", series.type, ", ".join(f"`{label}`" for label in series.labels), series.text


def make_page(title: str, source: str, introduction: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", introduction, *parts, _GENERATED.format(source=source)]) + "\n"


def make_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(_line(cells) for cells in (head, ["---"] * len(head), *rows))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in cells)} |"

"""What the documentation shows is true: its programs run, its commands exist, its links lead somewhere.

In README.md, the other documents beside it, and docs/:

- a fenced block of `python` is run as a program of its own; where `<!-- output -->` and a block of `text` follow, that
  is what it must print. With `<!-- not run: reason -->` on the line before, it is only compiled.
- a block of `pycon` is run as a doctest.
- a line of `sh`, `bash`, `shell` or (after `$`) `console` that calls `isonomy` must name a command and options that
  exist.
- a relative link leads to a file, and its fragment to a heading.
"""

import asyncio
import os
import re
import shlex
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import click
import msgspec
import numpy as np
import pytest
from kafka import KafkaProducer
from redis.asyncio import Redis

from services.cli.main import COMMANDS, cli
from services.cli.topics import ensure_topics
from streams.contracts.settings import Settings
from streams.fold.redis_store import FoldStore, WriteResult
from streams.ledger.codec import Block as LedgerBlock
from streams.ledger.codec import Notice, encode_block, encode_notice
from streams.ledger.rows import Rows, code
from streams.ratings import elo
from streams.ratings.fold import ArenaLimits, ArenaState, fold
from streams.ratings.publish import make_board
from tests.support.stack import TestBroker, TestRedis

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

SHELLS = {"sh", "bash", "shell", "console"}
NOT_RUN = re.compile(r"<!-- not run: (\S.*?) -->")
OUTPUT = "<!-- output -->"


# --- reading markdown ------------------------------------------------------------------------------------------------


@dataclass
class Block:
    """A fenced block: its language, its text, where it begins, and the comment and the block around it."""

    path: Path
    line: int
    language: str
    text: str
    comments: list[str] = field(default_factory=list)
    """Comments between the block before and this one, of which nothing else stands after."""

    @property
    def place(self) -> str:
        return f"{self.path.relative_to(ROOT) if self.path.is_relative_to(ROOT) else self.path.name}:{self.line}"

    @property
    def not_run(self) -> bool:
        return bool(self.comments) and NOT_RUN.fullmatch(self.comments[-1]) is not None


def blocks_of(path: Path, text: str) -> Iterator[Block]:
    """Fenced blocks, in order; a fence ends with one that is as long, so blocks may show fences."""
    lines = text.splitlines()
    comments: list[str] = []
    at = 0
    while at < len(lines):
        opening = re.fullmatch(r"(\s*)(`{3,}|~{3,})\s*([\w+-]*).*", lines[at])
        if opening is None:
            stripped = lines[at].strip()
            if re.fullmatch(r"<!--.*-->", stripped):
                comments.append(stripped)
            elif stripped:
                comments = []
            at += 1
            continue
        indent, fence, language = opening.groups()
        end = at + 1
        while end < len(lines) and not re.fullmatch(rf"\s*{fence[0]}{{{len(fence)},}}\s*", lines[end]):
            end += 1
        body = [line.removeprefix(indent) for line in lines[at + 1 : end]]
        yield Block(path, at + 1, language, "\n".join(body) + "\n", comments)
        comments, at = [], end + 1


def prose_of(text: str) -> str:
    """The text without fenced blocks, comments and inline code: what links are looked for in."""
    text = re.sub(r"^(\s*)(`{3,}|~{3,}).*?^\s*\2`*\s*$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"<!--.*?-->|(`+)(?!`).+?(?<!`)\1(?!`)", "", text, flags=re.DOTALL)


def links_of(text: str) -> list[str]:
    """Targets of links and images, in all ways of writing them."""
    prose = prose_of(text)
    inline = re.findall(r"\]\(\s*<?([^()\s<>]+(?:\([^()\s]*\))?)>?(?:\s+[\"'][^)]*)?\s*\)", prose)
    reference = re.findall(r"^\s{0,3}\[[^\]^]+\]:\s*<?(\S+?)>?(?:\s|$)", prose, flags=re.MULTILINE)
    html = re.findall(r"""\b(?:src|href|srcset)\s*=\s*["']([^"']+)["']""", prose)
    return [*inline, *reference, *html]


def anchors_of(text: str) -> set[str]:
    """Fragments that a document answers to: its headings, as GitHub names them, and ids in HTML."""
    found: dict[str, int] = {}
    anchors = set(re.findall(r"""\b(?:id|name)\s*=\s*["']([^"']+)["']""", text))
    without_blocks = re.sub(r"^(\s*)(`{3,}|~{3,}).*?^\s*\2`*\s*$", "", text, flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#{1,6}\s+(.+?)\s*#*\s*$", without_blocks, flags=re.MULTILINE):
        plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = "".join("-" if c == " " else c for c in plain if c in " -_" or unicodedata.category(c)[0] in "LNM")
        anchors.add(slug if slug not in found else f"{slug}-{found[slug]}")
        found[slug] = found.get(slug, 0) + 1
    return anchors


ALL = [(path, path.read_text("utf-8")) for path in DOCUMENTS]
BLOCKS = [block for path, text in ALL for block in blocks_of(path, text)]


# --- programs --------------------------------------------------------------------------------------------------------


@dataclass
class Program:
    """A block of Python, and what it must print if the document says so."""

    block: Block
    output: str | None


def programs_of(blocks: list[Block]) -> list[Program]:
    followers = [*blocks[1:], None]
    return [
        Program(block, after.text if after is not None and shows_output(block, after) else None)
        for block, after in zip(blocks, followers, strict=True)
        if block.language in {"python", "py"}
    ]


def shows_output(program: Block, after: Block) -> bool:
    return after.path == program.path and after.language == "text" and OUTPUT in after.comments


PROGRAMS = programs_of(BLOCKS)


def run(code: str, directory: Path, **environment: str) -> str:
    """Run a program as a reader would; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=directory,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def same(printed: str) -> list[str]:
    return [line.rstrip() for line in printed.strip().splitlines()]


@pytest.mark.parametrize("program", PROGRAMS, ids=[program.block.place for program in PROGRAMS])
def test_programs_run_and_print_what_is_said(program: Program, tmp_path: Path) -> None:
    compile(program.block.text, program.block.place, "exec")
    if program.block.not_run:
        assert program.output is None, "an output that nobody checks"
        return
    printed = run(program.block.text, tmp_path, PYTHONIOENCODING="utf-8")
    if program.output is not None:
        assert same(printed) == same(program.output)


SESSIONS = [block for block in BLOCKS if block.language == "pycon"]


@pytest.mark.parametrize("session", SESSIONS, ids=[block.place for block in SESSIONS])
def test_sessions_answer_what_is_shown(session: Block, tmp_path: Path) -> None:
    (tmp_path / "session.txt").write_text(session.text, "utf-8")
    run("import doctest, sys; sys.exit(doctest.testfile('session.txt', module_relative=False).failed)", tmp_path)


@pytest.fixture
def environment(topic_prefix: str, redis_prefix: str) -> dict[str, str]:
    """What the programs that need a server read of where it is."""
    return {"ISONOMY_TOPIC_PREFIX": topic_prefix, "ISONOMY_REDIS_PREFIX": redis_prefix}


def test_the_ledger_program_counts_each_win_once(
    broker: TestBroker, environment: dict[str, str], tmp_path: Path
) -> None:
    environment["KAFKA_BOOTSTRAP_SERVERS"] = broker.bootstrap
    settings = Settings.from_env(environment)
    ensure_topics(settings, create=True)
    whole = encode_block(block("text", [("x", "y", 0), ("y", "x", 1), ("x", "y", 2), ("y", "x", 0)], through=9))
    again = encode_block(block("text", [("y", "x", 1), ("x", "y", 2)], first=1, through=2))
    later = encode_block(block("text", [("y", "x", 0), ("x", "z", 4)], first=9, through=12))  # 9 was accounted for
    other = encode_block(block("other", [("x", "y", 1)], first=5, through=9))
    notice = encode_notice(Notice("text", "x", None, 0, 0, 0))
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap)
    for arena, records in (("text", whole), ("other", other), ("text", [*again, notice, *whole, *later])):
        for record in records:
            producer.send(settings.kafka.topic("ledger"), key=arena.encode(), value=record).get(timeout=30)
    producer.close()
    printed = run(program_with("ledger.md", "KafkaConsumer"), tmp_path, **environment)
    assert same(printed) == ["other y 1", "text x 2", "text y 1"]


def test_the_redis_program_reads_what_the_fold_publishes(
    redis_server: TestRedis, environment: dict[str, str], tmp_path: Path
) -> None:
    environment["REDIS_URL"] = redis_server.url
    state = ArenaState("text")
    fold(state, block("text", [("x", "y", 0), ("x", "y", 0), ("y", "x", 0)], through=2), ArenaLimits(), elo.interpreted)
    board, _ = make_board(state, "overall")

    async def publish() -> WriteResult:
        redis = Redis.from_url(redis_server.url)
        keys = Settings.from_env(environment).redis.keys
        store = FoldStore(redis, keys, "ratings")
        try:
            epoch = await store.claim("text")
            texts = {keys.board("text", "overall"): msgspec.json.encode(board)}
            return await store.publish("text", epoch, texts, {"ledger": 1}, boards=["overall"])
        finally:
            await redis.aclose()

    assert asyncio.run(publish()) is WriteResult.DONE
    printed = run(program_with("redis.md", "smembers"), tmp_path, **environment)
    assert same(printed) == [f"text overall: 3 votes, x leads with {board.models[0].rating:.0f}"]


def block(arena: str, votes: list[tuple[str, str, int]], *, through: int, first: int = 0) -> LedgerBlock:
    """Votes of partition 0 from an offset on, as a ledger block."""
    n = len(votes)
    names, codes = code([name for a, b, _ in votes for name in (a, b)])
    rows = Rows(
        models=names,
        model_a=codes[::2],
        model_b=codes[1::2],
        winner=np.array([winner for *_, winner in votes], np.uint8),
        tstamp=np.zeros(n),
        partition=np.zeros(n, np.int32),
        offset=np.arange(first, first + n),
        recorded=np.zeros(n, np.int64),
        languages=[""],
        language=None,
        category_sets=[()],
        categories=None,
        voters=[""],
        voter=None,
        prompts=[""],
        prompt=None,
        battles=[""],
        battle=None,
        p_pair=None,
        drawn_at=None,
        style=None,
    )
    return LedgerBlock(arena, rows, {0: through})


def program_with(name: str, word: str) -> str:
    """The one program of a document that is not run above and holds a word."""
    (found,) = [
        program.block.text
        for program in PROGRAMS
        if program.block.path.name == name and program.block.not_run and word in program.block.text
    ]
    return found


# --- commands --------------------------------------------------------------------------------------------------------


def shell_lines(block: Block) -> list[str]:
    """What is typed in a shell block, with continued lines joined."""
    lines = re.sub(r"\\\n\s*(?:>\s)?", " ", block.text).splitlines()
    if block.language == "console":
        return [line.strip()[1:].strip() for line in lines if line.strip().startswith("$")]
    return [line.strip() for line in lines]


BEFORE = {"exec", "nohup", "sudo", "time", "uv", "run", "do", "then", "!"}


def isonomy_calls(line: str) -> Iterator[list[str]]:
    """Arguments of each call of `isonomy` in a line."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="();<>|&\n")
    lexer.commenters = "#"
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:  # a quote that does not end on this line: a here-document
        return
    command: list[str] = []
    for word in [*words, ";"]:
        if not re.fullmatch(r"[();|&\n]+", word):
            command.append(word)
            continue
        while command and (re.match(r"\w+=", command[0]) or command[0] in BEFORE):
            command.pop(0)
        if command and command[0].rsplit("/", 1)[-1] == "isonomy":
            yield without_redirections(command[1:])
        command = []


def without_redirections(words: list[str]) -> list[str]:
    kept: list[str] = []
    skip = False
    for word in words:
        if re.fullmatch(r"[<>&]+", word):
            if kept and kept[-1].isdecimal() and len(kept[-1]) == 1:
                kept.pop()  # the 2 of `2>`
            skip = True
        elif skip:
            skip = False
        else:
            kept.append(word)
    return kept


def fault_of(arguments: list[str]) -> str | None:
    """Say what of a call does not exist; values are not looked at."""
    command: click.Command = cli
    context = click.Context(cli, info_name="isonomy")
    words = list(arguments)
    while True:
        try:
            _, rest, _ = command.make_parser(context).parse_args(words)
        except click.MissingParameter:
            return None  # shown without its arguments: `isonomy rate --help`
        except click.UsageError as error:
            return error.format_message()
        if not isinstance(command, click.Group):
            return f"{context.command_path} takes no {rest[0]!r}" if rest else None
        if not rest:
            return None
        name, *words = rest
        if command is cli and name not in COMMANDS:
            return f"there is no command {name!r}"
        try:
            inner = command.get_command(context, name)
        except ModuleNotFoundError as error:
            return f"command {name!r} cannot be loaded: {error}"
        if inner is None:
            return f"{context.command_path} has no command {name!r}"
        command, context = inner, click.Context(inner, info_name=name, parent=context)


CALLS = [
    pytest.param(arguments, id=f"{block.place}: isonomy {' '.join(arguments)}")
    for block in BLOCKS
    if block.language in SHELLS
    for line in shell_lines(block)
    for arguments in isonomy_calls(line)
]


@pytest.mark.parametrize("arguments", CALLS)
def test_commands_and_their_options_exist(arguments: list[str]) -> None:
    assert fault_of(arguments) is None


# --- links -----------------------------------------------------------------------------------------------------------


def broken_links(path: Path, text: str, root: Path) -> list[str]:
    """Relative links of a document that lead nowhere."""
    broken = []
    for link in links_of(text):
        if re.match(r"[a-z][a-z0-9+.-]*:|//", link, flags=re.IGNORECASE):
            continue
        target, _, fragment = link.partition("#")
        target = unquote(target.partition("?")[0])
        file = path if not target else (root / target.lstrip("/") if target[0] == "/" else path.parent / target)
        headed = fragment and file.suffix == ".md"
        if not file.exists() or (headed and unquote(fragment) not in anchors_of(file.read_text("utf-8"))):
            broken.append(link)
    return broken


@pytest.mark.parametrize(("path", "text"), ALL, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_links_lead_somewhere(path: Path, text: str) -> None:
    assert broken_links(path, text, ROOT) == []


# --- this file finds what it is meant to find ------------------------------------------------------------------------


def test_blocks_are_found_with_their_marks(tmp_path: Path) -> None:
    text = (
        "<!-- not run: needs a broker -->\n```python\n1\n```\n\n"
        "```python\nprint(2)\n```\n\n<!-- output -->\n<!-- generated: x -->\n```text\n2\n```\n\n"
        "<!-- not run: too far away -->\nword\n\n````md\n```python\n```\n````\n"
        "- in a list\n  ```py\n  for x in ():\n      x\n  ```\n"
    )
    blocks = list(blocks_of(tmp_path / "x.md", text))
    assert [block.language for block in blocks] == ["python", "python", "text", "md", "py"]
    assert [block.not_run for block in blocks] == [True, False, False, False, False]
    assert blocks[4].text == "for x in ():\n    x\n"
    assert [program.output for program in programs_of(blocks)] == [None, "2\n", None]


@pytest.mark.parametrize(
    ("line", "calls"),
    [
        ("isonomy topics --check", [["topics", "--check"]]),
        ("A=1 .venv/bin/isonomy rate 'a b.csv' | head -3  # all", [["rate", "a b.csv"]]),
        ("pip install isonomy && isonomy -v up &", [["-v", "up"]]),
        ("isonomy rate - < votes.jsonl 2> log > out.json", [["rate", "-"]]),
        ("echo isonomy up", []),
    ],
)
def test_calls_are_found(line: str, calls: list[list[str]]) -> None:
    assert list(isonomy_calls(line)) == calls


@pytest.mark.parametrize(
    ("call", "exists"),
    [
        ("", True),
        ("--help", True),
        ("topics --check --format json", True),
        ("topics --partitions votes=12 --partitions=ledger=2", True),
        ("gateway new-key arena --arenas text", True),
        ("rate votes.csv --columns model_a=left --top 5", True),
        ("rate --help", True),
        ("-v worker --stages intake", True),
        ("fly", False),
        ("topics --czech", False),
        ("topics now", False),
        ("gateway old-key", False),
        ("--loud topics", False),
    ],
)
def test_calls_are_held_against_the_command_line(call: str, exists: bool) -> None:
    assert (fault_of(call.split()) is None) == exists


def test_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# The reader's `rule`, 2nd\n## Twice\n## Twice\n```sh\n# no heading\n```\n")
    page = tmp_path / "page.md"
    text = (
        "[a](there.md) [b](there.md#the-readers-rule-2nd) [c](there.md#twice-1) [d](https://example.org/x)\n"
        "![e](gone.png) [f](#here) [g][h] <img src='gone.svg'> `[i](gone.i)` [j](there.md#no-heading)\n"
        "[k](/there.md 'title')\n\n"
        "# Here\n\n[h]: gone.md\n\n```md\n[l](gone.l)\n```\n"
    )
    page.write_text(text)
    assert broken_links(page, text, tmp_path) == ["gone.png", "there.md#no-heading", "gone.md", "gone.svg"]

"""Every layout reads a file of its shape; what a file leaves open stops the reading; every row is accounted for."""

import csv
import json
import tomllib
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

import polars
import pytest

from services.sources import SourceError, VoteSource, open_source
from services.sources.fields import resolve
from services.sources.layout import parse, shipped
from services.sources.summary import Summary, alike

NOW = 1_750_000_000.0


def table(folder: Path, header: list[str], *rows: list[Any], **asked: Any) -> VoteSource:
    with (folder / "votes.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return open_source(str(folder / "votes.csv"), now=NOW, **asked)


def objects(folder: Path, *rows: dict[str, Any], **asked: Any) -> VoteSource:
    (folder / "votes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return open_source(str(folder / "votes.jsonl"), now=NOW, **asked)


def said(source: VoteSource) -> list[tuple[str, str, str]]:
    return [(vote.model_a, vote.model_b, vote.winner) for chunk in source.chunks() for vote in chunk.votes]


def account(source: VoteSource) -> Summary:
    summary = Summary(source)
    for batch in source.rows():
        summary.take(batch)
    return summary


PAIR = ["model_a", "model_b", "winner"]
STATE = {"model_name": "oak"}, {"model_name": "fir"}


@pytest.mark.parametrize(
    ("layout", "row", "votes"),
    [
        ("comparia", {"model_a_name": "oak", "model_b_name": "fir", "chosen_model_name": "fir", "both_equal": False},
         [("oak", "fir", "model_b")]),
        ("comparia", {"model_a_name": "oak", "model_b_name": "fir", "chosen_model_name": None, "both_equal": True},
         [("oak", "fir", "tie")]),
        ("mt-bench-pairs", {"model_1": "oak", "model_2": "fir", "g1_winner": "model_1", "g2_winner": "model_1"},
         [("oak", "fir", "model_a")]),
        ("mt-bench-pairs", {"model_1": "oak", "model_2": "fir", "g1_winner": "model_1", "g2_winner": "model_2"},
         [("oak", "fir", "tie")]),
        ("mt-bench-pairs", {"model_1": "oak", "model_2": "fir", "g1_winner": "error", "g2_winner": "tie"}, []),
        ("winner-loser", {"winner": "oak", "loser": "fir"}, [("oak", "fir", "model_a")]),
        ("winner-loser", {"chosen": "oak", "rejected": "fir", "is_tie": True}, [("oak", "fir", "tie")]),
        ("tts-arena", {"model_chosen": "oak", "model_rejected": "fir"}, [("oak", "fir", "model_a")]),
        ("genai-arena", {"left_model": "oak", "right_model": "fir", "vote_type": "bothbad_vote"},
         [("oak", "fir", "both_bad")]),
        ("arena-55k", {"model_a": "oak", "model_b": "fir", "winner_model_a": 0, "winner_model_b": 1, "winner_tie": 0},
         [("oak", "fir", "model_b")]),
        ("score", {"model_a": "oak", "model_b": "fir", "score": 0.5}, [("oak", "fir", "tie")]),
        ("open-webui", {"id": "f", "type": "rating", "created_at": 1, "data": {"rating": -1, "model_id": "oak",
         "sibling_model_ids": ["fir", "yew"]}}, [("oak", "fir", "model_b"), ("oak", "yew", "model_b")]),
        ("open-webui", {"id": "f", "type": "rating", "created_at": 1, "data": {"rating": 1, "model_id": "oak",
         "sibling_model_ids": None}}, []),
        ("conversation-log", {"type": "leftvote", "models": ["", ""], "states": STATE, "tstamp": 1},
         [("oak", "fir", "model_a")]),
        ("conversation-log", {"type": "chat", "models": ["", ""], "states": STATE, "tstamp": 1}, []),
        ("conversation-log", {"type": "leftvote", "models": ["oak", "fir"], "states": STATE, "tstamp": 1}, []),
    ],
)  # fmt: skip
def test_a_row_of_a_public_shape_is_its_votes(
    tmp_path: Path, layout: str, row: dict[str, Any], votes: list[tuple[str, str, str]]
) -> None:
    source = objects(tmp_path, row)
    assert source.layout == layout
    assert said(source) == votes
    summary = account(source)
    assert (summary.read, summary.dropped) == (1, 0)
    assert sum(summary.left_out.values()) == (not votes)


def test_style_and_boards_come_out_of_objects(tmp_path: Path) -> None:
    side = {"sum_assistant_{}_tokens": 7, "header_count_{}": {"h1": 1, "h3": 2}, "list_count_{}": {"ordered": 4},
            "bold_count_{}": {"**": 5, "__": 1}}  # fmt: skip
    meta = {key.format(each): value for key, value in side.items() for each in "ab"}
    criteria = dict.fromkeys(("c1", "c2", "c3", "c4", "c5", "c6"), True)
    tags = {"math_v0.1": {"math": True}, "if_v0.1": {"if": False, "score": 4}, "criteria_v0.1": criteria}
    row = {"model_a": "oak", "model_b": "fir", "winner": "tie", "conv_metadata": meta, "category_tag": tags}
    for kept in (row, row | {"conv_metadata": json.dumps(meta), "category_tag": repr(tags)}):
        (chunk,) = objects(tmp_path, kept).chunks()
        (vote,) = chunk.votes
        assert vote.categories == ("math", "hard_prompts")
        assert vote.style is not None
        assert (vote.style.tokens_a, vote.style.headers_b, vote.style.lists_a, vote.style.bolds_b) == (7, 3, 4, 6)


def test_counts_per_pair_and_a_square_of_wins_are_the_same_votes(tmp_path: Path) -> None:
    pairs = table(
        tmp_path, ["model_a", "model_b", "wins_a", "wins_b", "ties"], ["oak", "fir", 5, 2, 1], ["oak", "yew", 0, 3, 0]
    )
    counts = Counter(frozenset([a, b]) for a, b, _ in said(pairs))
    assert counts == {frozenset(["oak", "fir"]): 8, frozenset(["oak", "yew"]): 3}
    square = table(tmp_path, ["", "oak", "fir", "yew"], ["oak", "", 5.5, 0], ["fir", 2.5, "", 0], ["yew", 3, 0, ""])

    def won(source: VoteSource) -> Counter[Any]:
        return Counter({"model_a": (a, b), "model_b": (b, a)}.get(winner, winner) for a, b, winner in said(source))

    assert won(square) == {("oak", "fir"): 5, ("fir", "oak"): 2, "tie": 1, ("yew", "oak"): 3}
    with pytest.raises(SourceError, match="no column is called 'elm'"):
        table(tmp_path, ["", "oak", "fir"], ["elm", 1, 2], ["fir", 1, 2])
    with pytest.raises(SourceError, match="line 2: wins_a 'many' is not a whole number"):
        table(tmp_path, ["model_a", "model_b", "wins_a", "wins_b"], ["oak", "fir", "many", 2])


def test_a_count_repeats_a_row_and_a_fraction_of_weight_is_told(tmp_path: Path) -> None:
    source = table(tmp_path, [*PAIR, "count"], ["oak", "fir", "tie", 3], ["oak", "fir", "a", 0])
    assert said(source) == [("oak", "fir", "tie")] * 3
    assert len({vote.id for chunk in source.chunks() for vote in chunk.votes}) == 3
    weighted = table(tmp_path, [*PAIR, "weight"], ["oak", "fir", "tie", 2], ["oak", "fir", "a", 1.5])
    assert len(said(weighted)) == 2
    assert "'weight' is not used: in 1 row it is no whole number" in weighted.note
    assert account(table(tmp_path, [*PAIR, "count"], ["oak", "fir", "tie", "x"])).values == {"count": {"x": 1}}


@pytest.mark.parametrize("word", ["tie(all bad)", "BOTH_BAD", "tie (bothbad)", "bothbad_vote", "Tie (both bad)"])
def test_words_are_read_however_they_are_written(tmp_path: Path, word: str) -> None:
    assert said(table(tmp_path, PAIR, ["oak", "fir", word]))[0][2] == "both_bad"


@pytest.mark.parametrize("word", ["draw", "Tie (inconsistent)", "tievote", "both good", "A=B"])
def test_ties_have_many_words(tmp_path: Path, word: str) -> None:
    assert said(table(tmp_path, PAIR, ["oak", "fir", word]))[0][2] == "tie"


def test_the_winner_is_compared_with_the_names_of_its_row_first(tmp_path: Path) -> None:
    letters = table(tmp_path, PAIR, ["B", "A", "A"], ["C", "A", "C"], ["A", "C", "tie"])
    assert [winner for *_, winner in said(letters)] == ["model_b", "model_a", "tie"]
    sides = table(tmp_path, PAIR, ["B", "A", "A"], ["C", "D", "B"])
    assert [winner for *_, winner in said(sides)] == ["model_a", "model_b"]
    rows = ["right", "left", "left"], ["left", "right", "tie"]
    with pytest.raises(SourceError, match="--winner-is name or --winner-is side"):
        table(tmp_path, PAIR, *rows)
    assert said(table(tmp_path, PAIR, *rows, by="name"))[0][2] == "model_b"
    assert said(table(tmp_path, PAIR, *rows, by="side"))[0][2] == "model_a"


def test_numbers_mean_something_only_when_something_says_what(tmp_path: Path) -> None:
    scores = table(tmp_path, PAIR, ["oak", "fir", 1], ["oak", "fir", 0.5], ["oak", "fir", 0])
    assert [winner for *_, winner in said(scores)] == ["model_a", "tie", "model_b"]
    classes = ["oak", "fir", 0], ["oak", "fir", 1], ["oak", "fir", 2]
    summary = account(table(tmp_path, PAIR, *classes))
    assert (summary.counted, summary.dropped) == (0, 3)
    assert "'0' in 1 row," in summary.unreadable()
    assert "--words '0=model_a" in summary.unreadable()
    worded = table(tmp_path, PAIR, *classes, words={"0": "model_b", "1": "model_a", "2": "tie"})
    assert [winner for *_, winner in said(worded)] == ["model_b", "model_a", "tie"]
    names = "\n".join(f"          '{at}': {name}" for at, name in enumerate(("model_b", "model_a", "tie")))
    (tmp_path / "README.md").write_text(f"features:\n  - name: winner\n    dtype:\n      class_label:\n{names}\n")
    assert [winner for *_, winner in said(table(tmp_path, PAIR, *classes))] == ["model_b", "model_a", "tie"]


def test_a_files_own_names_of_classes_are_read(tmp_path: Path) -> None:
    features = {"info": {"features": {"winner": {"names": ["tie", "model_b"], "_type": "ClassLabel"}}}}
    frame = polars.DataFrame({"model_a": ["oak"] * 2, "model_b": ["fir"] * 2, "winner": [0, 1]})
    frame.write_parquet(tmp_path / "v.parquet", metadata={"huggingface": json.dumps(features)})
    assert [winner for *_, winner in said(open_source(str(tmp_path / "v.parquet"), now=NOW))] == ["tie", "model_b"]


def test_rows_that_are_not_anonymous_do_not_count_and_are_counted(tmp_path: Path) -> None:
    rows = ["oak", "fir", "a", "True"], ["oak", "fir", "b", "False"], ["oak", "fir", "b", "false"]
    summary = account(table(tmp_path, [*PAIR, "anony"], *rows))
    assert (summary.counted, summary.left_out) == (1, {"not anonymous": 2})
    assert account(table(tmp_path, [*PAIR, "anony"], *rows, columns={"anony": ""})).counted == 3


def test_columns_that_could_matter_are_named_and_can_be_used(tmp_path: Path) -> None:
    rows = ["oak", "fir", "a", "True"], ["oak", "fir", "b", "False"]
    source = table(tmp_path, [*PAIR, "is_valid"], *rows)
    assert "'is_valid' is not used (True in 1 row, False in 1 row): --only is_valid=True" in source.note
    assert account(table(tmp_path, [*PAIR, "is_valid"], *rows, only={"is_valid": ["True"]})).counted == 1
    assert "is_valid" not in table(tmp_path, [*PAIR, "is_valid"], rows[0]).note


WATCHED: list[str] = tomllib.loads(
    (files("services.sources") / "layouts" / "common.toml").read_text("utf-8")
)["watch"]["columns"]  # fmt: skip


@pytest.mark.parametrize("column", WATCHED)
def test_every_column_that_may_leave_rows_out_is_named_where_it_differs_and_documented(
    tmp_path: Path, column: str
) -> None:
    source = table(tmp_path, [*PAIR, column], ["oak", "fir", "a", "true"], ["oak", "fir", "b", "false"])
    assert f"'{column}' is not used (true in 1 row, false in 1 row): --only {column}=true" in source.note
    assert f"`{column}`" in (Path(__file__).parents[3] / "docs" / "reading.md").read_text("utf-8")


def test_words_and_dates_that_may_leave_rows_out_are_named_and_numbers_are_not(tmp_path: Path) -> None:
    rows = [["oak", "fir", "a", "approved"]] * 3 + [["oak", "fir", "b", "rejected"]]
    source = table(tmp_path, [*PAIR, "status"], *rows)
    assert "(approved in 3 rows, rejected in 1 row): --only status=approved counts those rows alone" in source.note
    removed = table(tmp_path, [*PAIR, "deleted_at"], *(["oak", "fir", "a", f"2025-01-0{day}"] for day in range(1, 9)),
                    *[["oak", "fir", "b", ""]] * 9)  # fmt: skip
    assert "--only deleted_at= counts those rows alone" in removed.note
    assert account(table(tmp_path, [*PAIR, "status"], *rows, only={"status": ["approved"]})).counted == 3
    assert "confidence" not in table(tmp_path, [*PAIR, "confidence"], *(["oak", "fir", "a", n] for n in "345")).note


def test_rows_that_come_again_in_everything_are_named_where_no_id_tells_them_apart(tmp_path: Path) -> None:
    rows = [
        [f"oak-{at % 5}", f"fir-{at % 4}", "ab"[at % 3 // 2], f"2025-01-01T{at // 60:02}:{at % 60:02}:00Z"]
        for at in range(600)
    ]
    header = [*PAIR, "tstamp"]
    source = table(tmp_path, header, *rows, *rows[:60])
    assert "60 rows repeat another in models, outcome and time" in source.note
    assert account(source).counted == 660
    assert "repeat another" not in table(tmp_path, header, *rows).note
    of_days = [[*row[:3], row[3][:10]] for row in rows]
    assert "repeat another" not in table(tmp_path, header, *of_days).note
    assert (
        "repeat another" not in table(tmp_path, ["id", *header], *([at, *row] for at, row in enumerate(rows * 2))).note
    )


CONTRACT = ["id", *PAIR, "tstamp"]


def test_ids_with_several_pairs_name_no_votes_and_rows_that_repeat_in_everything_are_duplicates(tmp_path: Path) -> None:
    rows = [["q1", "oak", "fir", "a", 1], ["q1", "yew", "fir", "a", 2], ["q1", "oak", "fir", "a", 1]]
    summary = account(table(tmp_path, CONTRACT, *map(list, rows)))
    assert (summary.counted, summary.duplicates) == (2, 1)
    assert "does not name single votes: 1 of 1 ids" in summary.notes[0]
    strict = [dict(zip(CONTRACT, row, strict=True)) | {"winner": "model_a"} for row in rows]
    assert (account(objects(tmp_path, *strict)).counted, account(objects(tmp_path, *strict)).duplicates) == (2, 1)


def test_a_vote_that_was_changed_counts_once_as_it_was_first(tmp_path: Path) -> None:
    source = table(
        tmp_path, CONTRACT, ["v1", "oak", "fir", "a", 1], ["v1", "oak", "fir", "b", 2], ["v2", "oak", "fir", "b", 2]
    )
    assert (account(source).counted, account(source).duplicates) == (2, 1)
    assert "1 rows come again under a known id with another content" in source.note


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        (["2024-08-14 01:46:40 UTC", "2024-08-15 01:46:40 UTC"], [1723600000, 1723686400]),
        (["08/14/2024 01:46", "08/02/2024 01:46"], [1723599960, 1722563160]),
        (["14/08/2024 01:46", "02/08/2024 01:46"], [1723599960, 1722563160]),
        (["Wed, 14 Aug 2024 01:46:40 GMT", "Aug 15, 2024"], [1723600000, 1723680000]),
    ],
)
def test_times_are_read_by_what_the_whole_column_says(tmp_path: Path, times: list[str], seconds: list[int]) -> None:
    source = table(tmp_path, [*PAIR, "timestamp"], *(["oak", "fir", "a", time] for time in times))
    assert [vote.tstamp for chunk in source.chunks() for vote in chunk.votes] == seconds


def test_dates_that_may_be_either_are_not_guessed(tmp_path: Path) -> None:
    source = table(tmp_path, [*PAIR, "timestamp"], ["oak", "fir", "a", "03/04/2024 10:00"])
    refused = account(source)
    assert refused.dropped == sum(refused.values["tstamp"].values()) == 1
    off = table(tmp_path, [*PAIR, "timestamp"], ["oak", "fir", "a", "03/04/2024 10:00"], times=False)
    assert (account(off).counted, off.timed) == (1, False)


def test_blanks_and_invisible_marks_make_no_second_model_and_look_alikes_are_named(tmp_path: Path) -> None:
    rows = ["oak ", "fir", "oak"], ["o\u200bak", " fir\u00a0", "a"], ["Oak", "fir", "b"]
    summary = account(table(tmp_path, PAIR, *rows))
    summary.close(NOW)
    assert "'oak' (2 battles), 'Oak' (1 battles)" in summary.notes[-1]
    assert alike({"gpt-4": 1, "gpt-4o": 1, "claude-2.1": 1, "claude-21": 1}) == []
    assert len(alike({"gpt-4": 1, "gрt-4": 1, "GPT 4": 1})) == 1  # the second has a Cyrillic letter


def test_a_persons_own_layout_is_read_and_a_wrong_one_explained(tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text(
        'models = [["red.name", "blue.name"]]\n[columns]\nwinner = ["pick"]\n[words]\nmodel_a = ["crimson"]\n'
    )
    row = {"red": {"name": "oak"}, "blue": {"name": "fir"}, "pick": "Crimson"}
    assert said(objects(tmp_path, row, layout=str(own))) == [("oak", "fir", "model_a")]
    with pytest.raises(SourceError, match="'won' is not an outcome"):
        parse("x", 'models = [["a", "b"]]\n[words]\nwon = ["w"]\n')
    with pytest.raises(SourceError, match="there is no layout 'nobody'"):
        objects(tmp_path, row, layout="nobody")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[columns]\nwiner = ["pick"]', r"\[columns\] 'winer' is not a field of a vote; the fields are .*winner"),
        ('[anonymous]\ncolumn = "hidden"', "anonymous needs column and values; nothing else is read"),
        ('[boards.math]\nof = ["tag"]\nat_laest = 3', "boards 'math' needs of, and may have at_least"),
        ('[boards]\nmath = "tag"', "boards 'math' needs of"),
    ],
)
def test_what_a_layout_misspells_is_named_and_not_passed_over(text: str, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        parse("mine", f'models = [["model_a", "model_b"]]\n{text}\n')


def test_a_rule_of_rows_that_no_column_answers_stops_when_the_layout_was_asked_for(tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text('models = [["model_a", "model_b"]]\n[columns]\nwinner = ["winner"]\n[only]\nstaus = ["done"]\n')
    with pytest.raises(SourceError, match=r"layout mine, \[only\]: there is no column 'staus'; found: .*'status'"):
        table(tmp_path, [*PAIR, "status"], ["oak", "fir", "a", "done"], layout=str(own))


def test_answers_in_lists_are_named_by_their_tool_and_not_taken_for_another_layout(tmp_path: Path) -> None:
    answer = {"value": {"selected": "left"}, "from_name": "comparison", "to_name": "answers", "type": "pairwise"}
    task = {"id": 1, "data": {"model1": "oak", "model2": "fir"}, "annotations": [{"id": 1, "result": [answer]}]}
    with pytest.raises(SourceError, match=r"Label Studio's JSON.*JSON-MIN or CSV.*'data.model1'"):
        objects(tmp_path, task)
    record = {
        "status": "done",
        "fields": {"prompt": "p"},
        "metadata": {"a": "oak"},
        "responses": {"best": [{"value": "a"}]},
    }
    with pytest.raises(SourceError, match="Argilla's JSON"):
        objects(tmp_path, record)


def test_two_layouts_that_fit_equally_and_differ_are_not_chosen_between() -> None:
    with pytest.raises(SourceError, match=r"score .*and verdict .*choose with --layout|verdict .*and score"):
        resolve(["model_a", "model_b", "preference", "score"])
    assert resolve(["model_a", "model_b", "preference", "score"], layout="score").column("winner") == "score"


def test_every_shipped_layout_is_in_the_package_and_says_what_it_is() -> None:
    there = {entry.name for entry in (files("services.sources") / "layouts").iterdir()}
    assert {f"{name}.toml" for name in shipped()} == there - {"common.toml"}
    assert all(layout.text for layout in shipped().values())


def test_what_cannot_be_read_is_listed_with_its_count_and_the_way_out(tmp_path: Path) -> None:
    summary = account(table(tmp_path, PAIR, ["oak", "fir", "a"], ["oak", "fir", "foo"], ["oak", "fir", ""]))
    told = summary.unreadable()
    assert told.startswith("2 of 3 rows cannot be read: winner 'foo' in 1 row, empty in 1 row.")
    assert "--words 'foo=tie'" in told
    assert account(table(tmp_path, PAIR, ["oak", "fir", "foo"], words={"foo": "skip"})).left_out.total() == 1


def test_results_of_matches_are_read_and_ten_is_none_of_them(tmp_path: Path) -> None:
    rows = [["oak", "fir", each] for each in ("1-0", "0 - 1", "1/2-1/2", "½–½", "1:0")]
    source = table(tmp_path, ["white", "black", "result"], *rows)
    assert [winner for *_, winner in said(source)] == ["model_a", "model_b", "tie", "tie", "model_a"]
    assert account(table(tmp_path, ["white", "black", "result"], ["oak", "fir", "10"])).dropped == 1


def test_scores_with_a_decimal_comma_are_read(tmp_path: Path) -> None:
    source = table(tmp_path, ["model_a", "model_b", "score"], *(["oak", "fir", each] for each in ("1", "0,5", "0,0")))
    assert [winner for *_, winner in said(source)] == ["model_a", "tie", "model_b"]


def test_counts_with_marks_between_thousands_are_no_smaller_counts(tmp_path: Path) -> None:
    for written in ("1.000", "1,000", "1 000"):
        with pytest.raises(SourceError, match="write numbers without marks between thousands"):
            table(tmp_path, ["model_a", "model_b", "wins_a", "wins_b"], ["oak", "fir", written, 2])
        assert account(table(tmp_path, [*PAIR, "count"], ["oak", "fir", "a", written])).refused == {"invalid_field": 1}


def test_rows_without_a_winner_can_be_said_to_be_no_votes(tmp_path: Path) -> None:
    rows = ["oak", "fir", "a"], ["oak", "fir", ""]
    assert "--words =skip" in account(table(tmp_path, PAIR, *rows)).unreadable()
    summary = account(table(tmp_path, PAIR, *rows, words={"": "skip"}))
    assert (summary.counted, summary.dropped) == (1, 0)


def test_times_that_a_spreadsheet_rounded_are_told(tmp_path: Path) -> None:
    source = table(tmp_path, [*PAIR, "tstamp"], ["oak", "fir", "a", "1.72E+09"])
    assert "'tstamp' are written as powers of ten" in source.note

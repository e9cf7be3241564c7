"""Redis keys: everything of one arena in one slot, and no two things under one name."""

from streams.contracts.keys import Keys
from streams.contracts.view import OVERALL, category_board, language_board


def test_the_keys_are_those_of_the_contract() -> None:
    keys = Keys()
    assert keys.arenas == "isonomy:arenas"
    assert keys.board("text", "language:en") == "isonomy:{text}:board:language:en"
    assert keys.boards("text") == "isonomy:{text}:boards"
    assert keys.state("text", "ratings") == "isonomy:{text}:state:ratings"
    assert keys.history("text", "day") == "isonomy:{text}:history:day"
    assert keys.changed("text") == "isonomy:{text}:changed"
    assert keys.partition(3, "ratings") == "isonomy:ledger:3:ratings"


def test_what_belongs_to_an_arena_has_its_hash_tag() -> None:
    keys = Keys("other")
    of_arena = [keys.board("a-b_0", OVERALL), keys.boards("a-b_0"), keys.state("a-b_0", "x"), keys.changed("a-b_0")]
    assert {key[key.index("{") + 1 : key.index("}")] for key in of_arena} == {"a-b_0"}
    assert len({*of_arena, keys.arenas, keys.partition(0, "x")}) == 6
    assert all(key.startswith("other:") for key in of_arena)


def test_no_label_can_take_another_boards_name() -> None:
    names = {OVERALL, language_board("overall"), category_board("overall"), language_board(""), category_board("")}
    assert len(names) == 5
    assert language_board("x:y") != category_board("x:y")

"""The file of bearer keys."""

import os
from pathlib import Path

import pytest

from services.http.api_keys import CHECK_SECONDS, InvalidKeyFile, Key, KeyRing, digest, new_key, parse_keys

HASH = digest("secret")


def test_lines_name_arenas_or_all() -> None:
    text = f"# comment\n\na:{HASH}:*\nb:{digest('2')}:*\n c : {digest('3').upper()} : text, code \n"
    assert parse_keys(text) == {
        HASH: Key("a", None),
        digest("2"): Key("b", None),
        digest("3"): Key("c", frozenset({"text", "code"})),
    }


def test_a_name_may_have_two_keys_while_one_is_replaced() -> None:
    assert len(parse_keys(f"a:{HASH}:*\na:{digest('new')}:*\n")) == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("secret", "line 1: not name"),
        (f"a:{HASH}:text:code", "line 1: not name"),
        (f"a:{HASH}", "line 1: not name"),
        (f":{HASH}:*", "line 1: the name"),
        (f"a b:{HASH}:*", "line 1: the name"),
        ("a:secret:*", "line 1: the hash of a is not"),
        (f"a:{HASH[:-1]}:*", "line 1: the hash of a is not"),
        (f"a:{HASH}:*\nb:{HASH}:*", "line 2: the hash of b is repeated"),
        (f"a:{HASH}:", "line 1: '' is not an arena"),
        (f"a:{HASH}:text,*", r"line 1: '\*' is not an arena"),
    ],
)
def test_bad_lines_are_named(line: str, message: str) -> None:
    with pytest.raises(InvalidKeyFile, match=message):
        parse_keys(f"{line}\n")


@pytest.mark.parametrize("cut", range(1, len(f"a:{HASH}:text,code")))
def test_a_file_that_is_cut_off_allows_nothing(cut: int) -> None:
    with pytest.raises(InvalidKeyFile):
        parse_keys(f"b:{digest('2')}:*\na:{HASH}:text,code\n"[: -1 - cut])


def test_new_keys_differ_and_cannot_be_read_off_the_line() -> None:
    first, second = new_key("a", "*"), new_key("a", "text")
    assert first[0] != second[0]
    assert first[0] not in first[1]
    with pytest.raises(InvalidKeyFile):
        new_key("a:b", "*")


@pytest.mark.parametrize("header", ["Bearer secret", "bearer  secret ", "BEARER secret"])
def test_a_known_key_is_found(tmp_path: Path, header: str) -> None:
    (tmp_path / "keys").write_text(f"a:{HASH}:*\n")
    assert KeyRing(tmp_path / "keys").find(header, 0.0) == Key("a", None)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer other", "Basic secret", "secret", f"Bearer {HASH}"])
def test_anything_else_is_not(tmp_path: Path, header: str) -> None:
    (tmp_path / "keys").write_text(f"a:{HASH}:*\n")
    assert KeyRing(tmp_path / "keys").find(header, 0.0) is None


def test_no_file_knows_no_key() -> None:
    assert KeyRing(None).find("Bearer secret", 0.0) is None


def test_a_changed_file_is_read_again_and_a_bad_one_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"a:{HASH}:*\n")
    ring = KeyRing(path)
    now = 0.0

    def change(text: str) -> None:
        nonlocal now
        path.write_text(text)
        now += CHECK_SECONDS
        os.utime(path, (now, now))

    change(f"b:{digest('new')}:*\n")
    assert ring.find("Bearer secret", now) is None
    assert ring.find("Bearer new", now) == Key("b", None)
    change("nonsense\n")
    assert ring.find("Bearer new", now) == Key("b", None)
    path.unlink()
    assert ring.find("Bearer new", now + CHECK_SECONDS) == Key("b", None)
    change(f"a:{HASH}:*\n")
    assert ring.find("Bearer secret", now + CHECK_SECONDS) == Key("a", None)


def test_a_bad_file_at_the_start_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(InvalidKeyFile, match="no-such-file"):
        KeyRing(tmp_path / "no-such-file")
    (tmp_path / "keys").write_text("nonsense\n")
    with pytest.raises(InvalidKeyFile, match="keys: line 1"):
        KeyRing(tmp_path / "keys")

"""Bearer keys: the file of their hashes, and which arenas each may write to.

A line is `name:sha256:arenas`: the hash in hex, the arenas separated by commas, `*` for all. An empty list of arenas is
refused, and so is a file without a final newline: a truncated line could allow more than was meant. Two lines may share
a name while a key is replaced; they share its rate limit, too.

The hash is a plain SHA-256: keys are 256 random bits, so there is nothing that salt or a slow hash would protect. It is
looked up in a dict, whose timing reveals at most something about the digest of a guess, and an attacker cannot steer
that towards a stored digest without inverting SHA-256.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from streams.contracts.settings import InvalidSetting
from streams.contracts.vote import is_arena

log = logging.getLogger(__name__)

CHECK_SECONDS = 1.0
"""How often the file is checked for changes."""

_name = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z").match
_digest = re.compile(r"[0-9a-f]{64}\Z").match


class InvalidKeyFile(InvalidSetting):
    """A key file that cannot be used; the message names the line."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the file. `arenas` is `None` when all are allowed."""

    name: str
    arenas: frozenset[str] | None

    def may_write(self, arena: str) -> bool:
        """Whether this key may write to the arena."""
        return self.arenas is None or arena in self.arenas


def digest(secret: str) -> str:
    """Hash of a secret, as in the file."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_key(name: str, arenas: str) -> tuple[str, str]:
    r"""Make a key: the secret, which is shown once, and its line for the file; `arenas` is `*` for all.

    >>> secret, line = new_key("arena-1", "text")
    >>> parse_keys(line + "\n")[digest(secret)]
    Key(name='arena-1', arenas=frozenset({'text'}))
    """
    secret = "isonomy_" + secrets.token_urlsafe(32)
    line = f"{name}:{digest(secret)}:{arenas}"
    parse_keys(f"{line}\n")
    return secret, line


def parse_keys(text: str) -> dict[str, Key]:
    """Read a key file: digest to key. Blank lines and lines that start with `#` are skipped.

    Raises
    ------
    InvalidKeyFile
        When a line is invalid; the message names it.
    """
    keys: dict[str, Key] = {}
    if text.strip() and not text.endswith("\n"):
        raise InvalidKeyFile(f"line {len(text.splitlines())}: it has no newline, so the file may be truncated")
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        parts = line.split(":")
        if len(parts) != 3:
            raise InvalidKeyFile(f"line {number}: not name:sha256:arenas (`*` for all)")
        name, hashed = parts[0].strip(), parts[1].strip().lower()
        if not _name(name):
            raise InvalidKeyFile(f"line {number}: the name is not 1 to 64 letters, digits, dots, dashes")
        if not _digest(hashed):
            raise InvalidKeyFile(f"line {number}: the hash of {name} is not 64 hex digits")
        if hashed in keys:
            raise InvalidKeyFile(f"line {number}: the hash of {name} is repeated")
        keys[hashed] = Key(name, _arenas(number, parts[2]))
    return keys


def _arenas(number: int, text: str) -> frozenset[str] | None:
    if text.strip() == "*":
        return None
    arenas = frozenset(each.strip() for each in text.split(","))
    for arena in arenas:
        if not is_arena(arena):
            raise InvalidKeyFile(f"line {number}: {arena!r} is not an arena")
    return arenas


class KeyRing:
    """The keys of a file, read again when it changes, so that keys are replaced without a restart.

    Parameters
    ----------
    path
        The file; without one (`None`) no key is known.

    Raises
    ------
    InvalidKeyFile
        When the file cannot be used at the start. Later, such a file is logged and the last good keys stay in use.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._keys: dict[str, Key] = {}
        self.names: frozenset[str] = frozenset()
        """Names of all keys; a new object each time the file is read."""
        self._seen: tuple[int, int, int] | None = None
        self._next_check = 0.0
        if path is not None:
            self._read(path)

    def find(self, authorization: str, now: float) -> Key | None:
        """Key of an Authorization header; `None` when it has no known bearer key. `now` is monotonic time."""
        self._look(now)
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        return self._keys.get(digest(secret.strip()))

    def named(self, name: str, now: float) -> list[Key]:
        """Keys with this name: several while one is replaced, none when all are gone. `now` is monotonic time."""
        self._look(now)
        return [key for key in self._keys.values() if key.name == name]

    def _look(self, now: float) -> None:
        if now >= self._next_check:
            self._next_check = now + CHECK_SECONDS
            self._reload()

    def _read(self, path: Path) -> None:
        try:
            status = path.stat()
            seen = (status.st_mtime_ns, status.st_size, status.st_ino)
            if seen == self._seen:
                return
            self._seen = seen  # before reading: a bad file is logged once, not once a second
            self._keys = parse_keys(path.read_text())
            self.names = frozenset(key.name for key in self._keys.values())
        except InvalidKeyFile as error:
            raise InvalidKeyFile(f"{path}: {error}") from None
        except OSError as error:
            self._seen = None
            raise InvalidKeyFile(f"the key file {path} cannot be read: {error.strerror or error}") from None
        except UnicodeDecodeError:
            self._seen = None
            raise InvalidKeyFile(f"the key file {path} is not UTF-8") from None
        log.info("read %d keys from %s", len(self._keys), path)

    def _reload(self) -> None:
        if self._path is None:
            return
        try:
            self._read(self._path)
        except InvalidKeyFile as error:
            log.error("the last good keys stay in use: %s", error)  # noqa: TRY400 -- the message says it all

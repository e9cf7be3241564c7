"""The files that the user named: one file, or those of a directory, a glob or a zip archive; and the dates in names."""

from __future__ import annotations

import glob
import hashlib
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePath
from typing import BinaryIO

from services.sources.base import SourceError
from services.sources.reading import PACKINGS, opened, unpacked

KINDS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")

_DATE = re.compile(r"(?<!\d)(20\d\d)([-_.]?)(\d\d)\2(\d\d)(?!\d)")
_SHARD = re.compile(r"(.*?)(\d{5})-of-(\d{5})(?!\d)")
_SIDECAR = re.compile(r"(readme|licen[cs]e|changelog|citation|dataset_infos?|state|sha256sums?|md5sums?)\b.*", re.I)
_SIDECAR_KINDS = {".md", ".txt", ".json", ".yaml", ".yml", ".py", ".html", ".log", ".png", ".svg", ".crc"}


@dataclass(frozen=True, slots=True)
class Part:
    """One file of one kind.

    Attributes
    ----------
    path
        The file.
    member
        Name of the file in a zip archive, None when `path` is no archive.
    kind
        One of `KINDS`.
    """

    path: Path
    member: str | None
    kind: str

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.path}, {self.member}"

    @property
    def name(self) -> str:
        """The file's name without its directories."""
        return PurePath(self.member or self.path).name

    def opened(self) -> AbstractContextManager[BinaryIO]:
        """Open its text, see `reading.opened`."""
        return opened(self.path, self.member)

    def unpacked(self) -> AbstractContextManager[BinaryIO]:
        """Open its bytes, see `reading.unpacked`."""
        return unpacked(self.path, self.member)

    @property
    def date(self) -> str | None:
        """The only date in its name or else in its directory's, such as `2025-01-06`; None without one or with several.

        >>> [Part(Path(name), None, ".csv").date for name in ("table_20250106.csv", "2025_01_06/a.csv", "1-2.csv")]
        ['2025-01-06', '2025-01-06', None]
        """
        whole = PurePath(self.member or self.path)
        for name in (whole.name, whole.parent.name):
            if dates := {*_dates(name)}:
                return dates.pop() if len(dates) == 1 else None
        return None


@dataclass(frozen=True, slots=True)
class Parts:
    """Files of one kind, sorted by name with numbers in numeric order.

    Attributes
    ----------
    name
        Short name of all files.
    files
        The files, at least one.
    note
        Which files of a directory or an archive are not read, and which shards are missing; may be empty.
    """

    name: str
    files: list[Part]
    note: str


def find_parts(spec: str, more: str = "") -> Parts:
    """The files that a path, a directory, a glob or a zip archive names.

    Raises
    ------
    SourceError
        When there is no file, when files are of several kinds, or when shards of a directory are missing.
    """
    path = Path(spec)
    if path.is_dir():
        return _of_directory(path)
    if path.exists():
        return _of_file(path, more)
    if glob.has_magic(spec):
        found = sorted((Path(each) for each in glob.glob(spec, recursive=True)), key=_natural)
        files = [each for each in found if each.is_file()]
        if not files:
            raise SourceError(f"{spec}: there is no such file")
        return _of_several(files, path.parent.name or "votes", spec)
    kind_of(path, more)
    raise SourceError(f"{path}: there is no such file")


def kind_of(path: PurePath, more: str = "") -> str:
    """Which of `KINDS` a file is by its name.

    Raises
    ------
    SourceError
        When it is none of them.
    """
    kind = _kind(path)
    if kind is None:
        raise SourceError(
            f"{path}: not a kind of file that is read here ({', '.join(KINDS)}, each also compressed:"
            f" {', '.join(PACKINGS)}; or a directory or a glob of them){more}"
        )
    return kind


def _kind(path: PurePath) -> str | None:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = "".join(suffixes[-2:-1] if suffixes[-1:] and suffixes[-1] in PACKINGS else suffixes[-1:])
    return kind if kind in KINDS else None


def _of_file(path: Path, more: str) -> Parts:
    if path.suffix.lower() == ".zip":
        return _of_zip(path)
    kind = kind_of(path, more)
    name = path.name[: path.name.lower().rindex(kind)] or path.name
    return Parts(name, [Part(path, None, kind)], _shards([path], strict=False, where=str(path)))


def _of_directory(path: Path) -> Parts:
    try:
        entries = sorted(path.iterdir(), key=_natural)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from None
    seen = [each for each in entries if not _hidden(each)]
    folders = [each.name for each in seen if each.is_dir()]
    if folders:
        raise SourceError(
            f"{path}: there are directories in it ({_few(folders)}); name one, or a glob such as"
            f" '{path / '**' / '*.parquet'}'"
        )
    kinds = {_kind(each) for each in seen if not _SIDECAR.fullmatch(each.name)} - {None}
    kinds = kinds - {".json"} or kinds  # next to other files, JSON holds metadata about them
    files = [each for each in seen if _kind(each) in kinds and not _SIDECAR.fullmatch(each.name)]
    left = [each for each in seen if each not in files]
    odd = [
        each.name for each in left if not _SIDECAR.fullmatch(each.name) and each.suffix.lower() not in _SIDECAR_KINDS
    ]
    if odd and files:
        raise SourceError(f"{path}: what is {_few(odd)}? Name the files that are meant by a glob")
    if not files:
        raise SourceError(f"{path}: a directory without a file that is read here ({', '.join(KINDS)})")
    parts = _of_several(files, path.resolve().name or "votes", str(path), strict=True)
    ignored = [each.name for each in entries if each not in files]
    said = f"{path}: not read: {_few(ignored)}" if ignored else ""
    return Parts(parts.name, parts.files, "; ".join(filter(None, (said, parts.note))))


def _of_several(paths: Sequence[Path], name: str, where: str, *, strict: bool = False) -> Parts:
    files: list[Part] = []
    for each in paths:
        files += _of_zip(each).files if each.suffix.lower() == ".zip" else [Part(each, None, kind_of(each))]
    _one_kind(files, where)
    return Parts(name, files, _shards(paths, strict=strict, where=where))


def must_differ(files: Sequence[Part], where: str) -> None:
    """Raise `SourceError` if two files have the same content, such as a second download."""
    sizes = Counter(each.path.stat().st_size for each in files if each.member is None)
    seen: dict[bytes, Part] = {}
    for each in files:
        if each.member is not None or sizes[each.path.stat().st_size] < 2:
            continue
        with each.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        if (other := seen.setdefault(digest, each)) is not each:
            raise SourceError(f"{where}: {other.name} and {each.name} are the same file; remove one of them")


def _of_zip(path: Path) -> Parts:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [each.filename for each in archive.infolist() if not each.is_dir()]
    except (zipfile.BadZipFile, EOFError) as error:
        raise SourceError(f"{path}: not a whole zip file ({error})") from None
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from None
    own = [each for each in members if not any(map(_hidden, PurePath(each).parents)) and not _hidden(PurePath(each))]
    own = [each for each in own if not _SIDECAR.fullmatch(PurePath(each).name)]
    kinds = {_kind(PurePath(each)) for each in own} - {None}
    kinds = kinds - {".json"} or kinds
    kept = sorted((each for each in own if _kind(PurePath(each)) in kinds), key=lambda each: _natural(PurePath(each)))
    odd = [each for each in own if each not in kept and PurePath(each).suffix.lower() not in _SIDECAR_KINDS]
    if not kept or odd:
        why = (
            f"what is {_few(odd)}?" if odd else f"there is none in it of a kind that is read here ({', '.join(KINDS)})"
        )
        raise SourceError(f"{path}: {why} It holds {_few(members) if members else 'nothing'}")
    files = [Part(path, each, kind_of(PurePath(each))) for each in kept]
    _one_kind(files, str(path))
    left = [each for each in members if each not in kept]
    return Parts(path.stem, files, f"{path}: not read: {_few(left)}" if left else "")


def _one_kind(files: Sequence[Part], where: str) -> None:
    kinds = Counter(".jsonl" if each.kind == ".ndjson" else each.kind for each in files)
    if len(kinds) > 1:
        counted = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        raise SourceError(f"{where}: files of several kinds ({counted}); name those of one kind by a glob")
    stems = Counter((each.path.parent, each.member or each.path.name.split(each.kind)[0]) for each in files)
    twice = [str(stem) for (_, stem), count in stems.items() if count > 1]
    if twice:
        raise SourceError(
            f"{where}: {_few(twice)} is there twice, compressed and not; name those that are meant by a glob"
        )


def _shards(paths: Sequence[Path], *, strict: bool, where: str) -> str:
    """Note on missing shards (`…-00000-of-00002…`); with `strict`, for a directory, they are an error."""
    sets: dict[tuple[str, int], set[int]] = {}
    for path in paths:
        if match := _SHARD.match(path.name):
            sets.setdefault((match[1], int(match[3])), set()).add(int(match[2]))
    missing = [
        f"{start}{number:05d}-of-{total:05d}"
        for (start, total), there in sets.items()
        for number in range(total)
        if number not in there
    ]
    if missing and strict:
        raise SourceError(f"{where}: shards are missing: {_few(missing)}; to read the others, name them by a glob")
    return f"not all shards: {_few(missing)} not read" if missing else ""


def _hidden(path: PurePath) -> bool:
    return path.name.startswith((".", "_"))


def _natural(path: PurePath) -> list[tuple[int, str]]:
    """Sort key with numbers by value: `part-2` before `part-10`."""
    pieces = re.split(r"(\d+)", str(path))
    return [(int(piece), "") if at % 2 else (0, piece) for at, piece in enumerate(pieces)]


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _dates(name: str) -> Iterator[str]:
    for year, _, month, day in _DATE.findall(name):
        try:
            yield date(int(year), int(month), int(day)).isoformat()
        except ValueError:
            continue

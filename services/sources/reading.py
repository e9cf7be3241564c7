"""Bytes of a file as UTF-8: decompresses, recodes or reports other encodings; whole or in blocks of lines."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from services.sources.base import SourceError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK = 256 << 10
"""Bytes per read, some 1,300 votes: blocks that fit the CPU cache are twice as fast as 4 MiB."""

UTF8_MARK = b"\xef\xbb\xbf"

PACKINGS = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd", ".zip": "zip"}
"""Ending of a file's name to its compression."""

_MAGIC = {
    "gzip": b"\x1f\x8b\x08",
    "bzip2": b"BZh",
    "xz": b"\xfd7zXZ\x00",
    "zstd": b"\x28\xb5\x2f\xfd",
    "zip": b"PK\x03\x04",
}
_MARKS = (  # UTF-32 first: its byte order mark starts with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BROKEN = (gzip.BadGzipFile, zlib.error, lzma.LZMAError, zipfile.BadZipFile, EOFError)
_OPEN: dict[str, Callable[[BinaryIO], io.BufferedIOBase]] = {
    "gzip": lambda file: gzip.GzipFile(fileobj=file),
    "bzip2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
}
_LOOK = 4_096
_LETTER = re.compile(r"[A-Za-z]+[À-þ][A-Za-z]*|[À-þ][A-Za-z]+")


@contextmanager
def opened(path: Path, member: str | None = None) -> Iterator[BinaryIO]:
    """The text of a file, unpacked, in UTF-8.

    A text with a byte order mark of UTF-16 or UTF-32 is recoded; without one, UTF-16 and UTF-32 are recognised by their
    zero bytes and refused. Bytes that are no UTF-8 pass: only the reader of the cells knows whether they matter, see
    `other_encoding`.

    Parameters
    ----------
    path
        The file.
    member
        Name of the file in a zip archive; None when `path` is no archive.

    Raises
    ------
    SourceError
        When the file cannot be opened, or cannot be read to its end.
    """
    with unpacked(path, member) as file:
        start = _peek(file)
        encoding = next((name for mark, name in _MARKS if start.startswith(mark)), None)
        if encoding is not None:
            yield cast(BinaryIO, io.BufferedReader(_Recoded(file, encoding, path), BLOCK))
            return
        _refuse_wide(path, start)
        yield file


@contextmanager
def unpacked(path: Path, member: str | None = None) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked by its magic number.

    A name may lack the ending of its compression; a file whose name has such an ending must be compressed that way.

    Raises
    ------
    SourceError
        As in `opened`.
    """
    packing = ""
    try:
        with ExitStack() as stack:
            file = stack.enter_context(path.open("rb"))
            packing = _packing(path, file)
            yield stack.enter_context(_unpack(path, file, packing, member))
    except _BROKEN as error:
        raise SourceError(f"{path}: not a whole {packing} file ({error})") from None
    except RuntimeError as error:  # a zip archive with a password
        if packing != "zip":
            raise
        raise SourceError(f"{path}: {error}") from None
    except OSError as error:
        if packing and error.errno is None:  # what bz2 raises for damage
            raise SourceError(f"{path}: not a whole {packing} file ({error})") from None
        raise SourceError(f"{path}: {error.strerror or error}") from None


def lines_of(read: Callable[[int], bytes]) -> Iterator[list[bytes]]:
    """Lines without their ends; each list has the lines that one `read` completes. A byte order mark is skipped."""
    pieces: list[bytes] = []
    first = True
    while block := read(BLOCK):
        if first:
            block, first = block.removeprefix(UTF8_MARK), False
        head, newline, rest = block.rpartition(b"\n")
        if not newline:
            pieces.append(block)
            continue
        yield b"".join((*pieces, head)).split(b"\n")
        pieces = [rest]
    if last := b"".join(pieces):
        yield [last]


def other_encoding(path: Path, member: str | None, is_sound: Callable[[bytes], bool]) -> str | None:
    """Error message for a file with bytes that are no UTF-8; None when the cause is damage and not another encoding.

    In a file with a broken cell, other letters beyond ASCII are valid UTF-8. In a file in Windows-1252 or Latin-1 none
    are, and its bytes beyond ASCII are next to letters.

    Parameters
    ----------
    path, member
        As in `opened`.
    is_sound
        Whether a line, recoded from Windows-1252, is valid.
    """
    letter = None
    with opened(path, member) as file:
        for line in (line for block in lines_of(file.read) for line in block if not line.isascii()):
            try:
                line.decode()
            except UnicodeDecodeError:
                recoded = line.decode("cp1252", "replace")
                if not line.decode("utf-8", "ignore").isascii() or not is_sound(recoded.encode()):
                    return None
                letter = letter or _LETTER.search(recoded)
            else:
                return None
    if letter is None:
        return None
    return (
        f"{path}: not UTF-8: read as Windows-1252 it says {letter[0]!r}, and nothing beyond ASCII in it is UTF-8;"
        " convert it: iconv -f WINDOWS-1252 -t UTF-8"
    )


def _packing(path: Path, file: BinaryIO) -> str:
    start = file.read(8)
    file.seek(0)
    named = PACKINGS.get(path.suffix.lower(), "")
    found = next((name for name, magic in _MAGIC.items() if start.startswith(magic)), "")
    if named and found != named:
        seen = f"it is {found}" if found else "its first bytes are not those of one" if start else "it is empty"
        raise SourceError(f"{path}: not a whole {named} file ({seen})")
    return found


@contextmanager
def _unpack(path: Path, file: BinaryIO, packing: str, member: str | None) -> Iterator[BinaryIO]:
    with ExitStack() as stack:
        if packing == "zip":
            archive = stack.enter_context(zipfile.ZipFile(file))
            if member is None:
                raise SourceError(
                    f"{path}: a zip archive or a spreadsheet; save it as CSV, or let its name end in .zip"
                )
            yield cast(BinaryIO, stack.enter_context(archive.open(member)))
        elif packing == "zstd":
            yield cast(BinaryIO, io.BufferedReader(_Zstd(file), BLOCK))
        else:
            unpack = _OPEN.get(packing)
            yield file if unpack is None else cast(BinaryIO, stack.enter_context(unpack(file)))


def _peek(file: BinaryIO) -> bytes:
    return cast(io.BufferedReader, file).peek(_LOOK)[:_LOOK]


def _refuse_wide(path: Path, start: bytes) -> None:
    """Refuse UTF-16 and UTF-32 without a byte order mark: in ASCII text 1/2 or 3/4 of their bytes are zero."""
    zeros = start.count(0)
    if 10 * zeros < 4 * len(start) or len(start) < 8:
        return
    name = "UTF-32" if 10 * zeros > 7 * len(start) else "UTF-16"
    order = "BE" if start[0] == 0 else "LE"
    raise SourceError(
        f"{path}: {name} without a byte order mark; convert it: iconv -f {name}{order} -t UTF-8, or save it as UTF-8"
    )


class _Pieces(io.RawIOBase):
    """A stream of bytes that a subclass produces piece by piece."""

    def __init__(self) -> None:
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        while not self._ready:
            piece = self._more()
            if piece is None:
                return 0
            self._ready = piece
        size = min(len(view), len(self._ready))
        view[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _more(self) -> bytes | None:
        raise NotImplementedError


class _Recoded(_Pieces):
    """A text in another encoding, recoded to UTF-8."""

    def __init__(self, file: BinaryIO, encoding: str, path: Path) -> None:
        super().__init__()
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._encoding = encoding
        self._path = path
        self._ended = False

    def _more(self) -> bytes | None:
        if self._ended:
            return None
        block = self._file.read(BLOCK)
        self._ended = not block
        try:
            return self._decoder.decode(block, self._ended).encode()
        except UnicodeDecodeError as error:
            name = self._encoding.upper()
            raise SourceError(f"{self._path}: it begins as {name} and is not to its end ({error.reason})") from None


class _Zstd(_Pieces):
    """The content of a zstd file, frame by frame; a truncated frame is an error."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        import zstandard  # a Kafka codec; only needed for such files

        self._file = file
        self._start = zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj
        self._error = zstandard.ZstdError
        self._frame = self._start()
        self._whole = True
        self._rest = b""

    def _more(self) -> bytes | None:
        block = self._rest or self._file.read(BLOCK)
        if not block:
            if self._whole:
                return None
            raise EOFError("it is cut off")
        if self._frame.eof:
            self._frame = self._start()
        try:
            piece = self._frame.decompress(block)
        except self._error as error:
            raise EOFError(str(error)) from None
        self._whole = self._frame.eof
        self._rest = self._frame.unused_data if self._whole else b""
        return piece

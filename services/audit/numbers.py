"""Parses numbers by one convention of separators for the whole file, which is inferred from its cells or given.

A dot or a comma before three digits may group thousands or begin a fraction. Which of them is a property of the file,
not of a cell: `5.971` in a file with `1.234.567` is a German 5,971. If the cells do not decide, the user must.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from services.sources import SourceError

UNKNOWN = frozenset({"", "-", "n/a", "na", "n.a.", "nan", "null", "none", "unknown", "?", "<na>"})
"""Spellings of "not known", in lower case and with every dash as `-`; no other cell is read as unknown."""

FORMATS = ("1234.5", "1234,5", "1,234.5", "1.234,5", "1 234.5", "1 234,5", "1'234.5", "1'234,5", "1_234.5")
"""Conventions that the user can choose."""

SCALES = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9}

_ALIKE = str.maketrans({**dict.fromkeys("\u00a0\u202f\u2009\u2007", " "), **dict.fromkeys("’ʼ‘", "'"),
                        **dict.fromkeys("−–—‒", "-")})  # fmt: skip
_NUMBER = re.compile(r"([+-]?)([\d.,' _]*\d[\d.,' _]*?) ?([kmb]?)(\+?)")
_PLAIN = re.compile(r"-?(\d+)(?:\.(\d+))?")
_SCIENTIFIC = re.compile(r"[+-]?\d+(\.\d*)?e[+-]?\d+")


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """The separator of thousands (`""` for none) and the decimal mark."""

    group: str = ""
    decimal: str = "."

    @property
    def example(self) -> str:
        """1234.5 written in this convention."""
        return f"1{self.group}234{self.decimal}5"


@dataclass(frozen=True, slots=True)
class Number:
    """One number; `step` is the unit it was rounded to (100 for `12.3K`), 0 for an exact one.

    `floor` is the largest unit that a number such as `12,000+` can have been cut to, 0 for other numbers.
    """

    value: float
    step: float = 0.0
    floor: float = 0.0


@dataclass(slots=True)
class _Evidence:
    """Marks that must group thousands, marks that must be decimal, and marks that may be either, each with its cells.

    `bare` is the largest number of four digits or more without any mark, 0 if there is none.
    """

    group: dict[str, str] = field(default_factory=dict)
    decimal: dict[str, str] = field(default_factory=dict)
    either: dict[str, list[str]] = field(default_factory=dict)
    bare: int = 0


def format_named(text: str) -> NumberFormat:
    """The convention of an example such as `1.234,5`.

    Raises
    ------
    SourceError
        When the example is not in `FORMATS`.

    >>> format_named("1.234,5"), format_named("1234.5")
    (NumberFormat(group='.', decimal=','), NumberFormat(group='', decimal='.'))
    """
    text = text.translate(_ALIKE)
    if text not in FORMATS:
        raise SourceError(f"number format {text!r}: write the number 1234.5 as the file does: {' | '.join(FORMATS)}")
    group, decimal = text[1:].split("234")
    return NumberFormat(group, decimal[0])


def sniff_format(columns: Mapping[str, Counter[object]], whole: str = "votes") -> NumberFormat:
    """Infer the convention that all number columns of a file follow.

    Parameters
    ----------
    columns
        Field to its cells, with the number of occurrences of each.
    whole
        The field whose numbers are counts: a reading that makes them fractions is excluded.

    Raises
    ------
    SourceError
        When the columns contradict each other, or both readings remain possible.

    >>> sniff_format({"votes": Counter(["5.971", "1.204", "971"])})
    NumberFormat(group='.', decimal=',')
    >>> sniff_format({"votes": Counter(["5971"]), "score": Counter(["1398.5"])})
    NumberFormat(group='', decimal='.')
    """
    told = {name: _evidence(cells) for name, cells in columns.items()}
    groups = {mark: f"{name} {cell!r}" for name, each in told.items() for mark, cell in each.group.items()}
    decimals = {mark: f"{name} {cell!r}" for name, each in told.items() for mark, cell in each.decimal.items()}
    open_marks = sorted({mark for each in told.values() for mark in each.either} - {*groups} - {*decimals})
    for mark in open_marks:
        other = "," if mark == "." else "."
        if other in decimals or (other not in groups and not groups and _groups(told, mark, whole)):
            groups[mark] = _seen(told, mark)
        else:
            decimals[mark] = _seen(told, mark)
    clash = sorted({*groups} & {*decimals})
    if clash or len(groups) > 1 or len(decimals) > 1:
        seen = [*groups.values(), *decimals.values()]
        raise SourceError(
            f"numbers are written in two ways ({', '.join(seen[:4])}): say which one holds with --number-format"
        )
    group = next(iter(groups), "")
    return NumberFormat(group, next(iter(decimals), "," if group == "." else "."))


def read_number(cell: object, form: NumberFormat) -> Number | None:
    """The number in a cell, None for a spelling of unknown.

    Raises
    ------
    ValueError
        When the cell is neither.

    >>> read_number("12.3K", NumberFormat()), read_number("5.971", NumberFormat(".", ","))
    (Number(value=12300.0, step=100.0, floor=0.0), Number(value=5971.0, step=0.0, floor=0.0))
    >>> read_number("—", NumberFormat())
    """
    if cell is None:
        return None
    if not isinstance(cell, str):
        return _typed(cell)
    if form.decimal == "." and _PLAIN.fullmatch(cell):  # most cells of most files
        return _finite(float(cell), 0.0)
    written = _tidy(cell)
    if written in UNKNOWN:
        return None
    if _SCIENTIFIC.fullmatch(written):
        return _finite(float(written), 0.0)
    match = _NUMBER.fullmatch(written)
    if match is None:
        raise ValueError("no number")
    sign, body, scale, more = match.groups()
    whole, _, fraction = body.partition(form.decimal)
    if form.group and form.group in whole:
        if not _grouped(whole, form.group):
            raise ValueError("no number")
        whole = whole.replace(form.group, "")
    if not (whole + fraction).isascii() or not (whole + fraction).isdigit():
        raise ValueError("no number")
    value = float(f"{whole or 0}.{fraction or 0}") * SCALES[scale] * (-1.0 if sign == "-" else 1.0)
    step = SCALES[scale] / 10 ** len(fraction) if scale else 0.0
    return _finite(round(value, 9), step, _floor_step(value) if more else 0.0)


def _typed(cell: object) -> Number | None:
    """The number of a cell that is no text."""
    if isinstance(cell, bool) or not isinstance(cell, (int, float, Decimal)):
        raise ValueError("no number")  # noqa: TRY004 the caller asks whether a cell is a number, of whatever type it is
    try:
        value = float(cell)
    except OverflowError:
        raise ValueError("no number") from None
    return None if math.isnan(value) else _finite(value, 0.0)


def _finite(value: float, step: float, floor: float = 0.0) -> Number:
    if not math.isfinite(value):
        raise ValueError("no number")
    return Number(value, step, floor)


def _floor_step(value: float) -> float:
    """The unit of a floor such as `12,000+`: the largest power of ten that divides it."""
    step = 1.0
    while value >= 10 * step and value % (10 * step) == 0:
        step *= 10
    return step


def _tidy(cell: str) -> str:
    return cell.translate(_ALIKE).strip().strip('"').strip().casefold()


def _grouped(text: str, mark: str) -> bool:
    """Whether a mark separates groups of three digits, or Indian groups of two before the last three."""
    at = re.escape(mark)
    return bool(re.fullmatch(rf"\d{{1,3}}({at}\d{{3}})+|\d{{1,2}}({at}\d{{2}})+{at}\d{{3}}", text))


def _evidence(cells: Counter[object]) -> _Evidence:
    found = _Evidence()
    for cell in cells:
        if not isinstance(cell, str):
            continue
        plain = _PLAIN.fullmatch(cell)
        if plain and plain[2] and (len(plain[2]) != 3 or len(plain[1]) > 3):  # most cells of most files
            found.decimal.setdefault(".", cell)
            continue
        written = _tidy(cell)
        match = _NUMBER.fullmatch(written)
        if match is None or written in UNKNOWN:
            if _SCIENTIFIC.fullmatch(written) and "." in written:
                found.decimal.setdefault(".", cell)
            continue
        _weigh(found, cell, match[2], match[3])
    return found


def _weigh(found: _Evidence, cell: str, body: str, scale: str) -> None:
    """Add the evidence of one number."""
    marks = [each for each in body if not each.isdigit()]
    if not marks:
        found.bare = max(found.bare, int(body) if len(body) > 3 else 0)
        return
    last = marks[-1]
    if len({*marks}) == 2 and last in ".," and marks.count(last) == 1 and _grouped(body.rpartition(last)[0], marks[0]):
        found.group.setdefault(marks[0], cell)
        found.decimal.setdefault(last, cell)
    elif len({*marks}) > 1:
        return
    elif last not in ".," or len(marks) > 1:
        if _grouped(body, last):
            found.group.setdefault(last, cell)
    elif _grouped(body, last) and not body.startswith("0") and not (scale and last == "."):
        found.either.setdefault(last, []).append(cell)
    else:
        found.decimal.setdefault(last, cell)


def _groups(told: Mapping[str, _Evidence], mark: str, whole: str) -> bool:
    """Whether a mark that only occurs before three digits groups thousands; the counts decide.

    Raises
    ------
    SourceError
        When both readings are possible.
    """
    counts = told.get(whole, _Evidence())
    cells = counts.either.get(mark, [])
    # Some languages group only numbers of five digits or more: `9971`, but `12.345`.
    late = counts.bare < 10_000 and all(len(_tidy(cell).lstrip("+-").partition(mark)[0]) > 1 for cell in cells)
    if cells and (mark == "," or not counts.bare or late):
        # Votes are whole: `5.971` votes do not exist. Only zeros after a dot leave both readings open.
        if mark == "," or any(_tidy(cell).rstrip("+").rpartition(mark)[2] != "000" for cell in cells):
            return True
    elif not cells and mark == "." and any(each.bare for each in told.values()):
        return False  # other columns write thousands without a mark
    raise SourceError(
        f"{_seen(told, mark)}: {mark!r} may group thousands or begin a fraction, and nothing else in the file decides:"
        f" say it with --number-format (1{mark}234{',' if mark == '.' else '.'}5 or 1234{mark}5)"
    )


def _seen(told: Mapping[str, _Evidence], mark: str) -> str:
    return next(f"{name} {each.either[mark][0]!r}" for name, each in told.items() if mark in each.either)

"""Tables of somebody else's: text with separators, or Parquet, read a part at a time. Nothing of contests.

A table comes as cells of text, or as numbers where a Parquet file has them, beside the line on which each row begins. What
could be read in two ways, or fits no table, is refused with its line.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from allpay.errors import AllpayError, short, shortened
from allpay.files import check_place
from allpay.memory import check_memory

if TYPE_CHECKING:
    import polars as pl

MOST_BYTES = 1_000_000_000
"""A file is not larger."""

MOST_ROWS = 10_000_000
"""Nor has it more rows: each takes some fifty bytes while contests are put together, and several times that at the end."""

MOST_COLUMNS = 10_000
"""Nor more columns."""

BLOCK = 1 << 24
"""So many bytes are read at a time; no line is longer."""

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""What may stand between cells, and what it is called."""

MISSING = ("", "na", "n/a", "nan", "null", "none")
"""Cells with these words, in small or large letters, are empty."""

_NEWLINE, _QUOTE = 10, 34

Lines = NDArray[np.int64]


def named(path: Path) -> str:
    """A file's name in messages."""
    return shortened(str(path), 80)


@dataclass(frozen=True)
class Place:
    """Where something stands in a table, for messages.

    Attributes:
        file: its name.
        row: what a row is called: a line of text, which the header has too, or a row of a Parquet file, from 1 on.
    """

    file: str
    row: str

    def fault(self, line: int, column: str, what: str) -> NoReturn:
        """Raise AllpayError: what is wrong on a line, in a column if one is named."""
        where = f", column {shortened(column, 40)}" if column else ""
        raise AllpayError(f"{self.file}, {self.row} {line}{where}: {what}")


@dataclass(frozen=True, eq=False)
class Part:
    """Some rows of a table.

    Attributes:
        cells: the columns that were asked for, in that order; of text, or of numbers.
        lines: `[rows]` where each begins.
    """

    cells: "list[pl.Series]"
    lines: Lines


def table(path: Path) -> "TextTable | ParquetTable":
    """The table in a file: Parquet if its name ends so, else text.

    Raises:
        AllpayError: if it is no plain file, too large, or begins with no names of columns.
    """
    check_place(path)
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise AllpayError(
                f"{named(path)} has {size:,} bytes, more than the {MOST_BYTES:,} that are read: leave out the columns that are "
                "not needed, or give some of the contests"
            )
        if size == 0:
            raise AllpayError(f"{named(path)} is empty: give a table whose first line names its columns")
        return (ParquetTable if path.suffix.lower() in (".parquet", ".pq") else TextTable)(path)
    except OSError as error:
        raise AllpayError(f"cannot read {named(path)}: {error.strerror or error}; give a table of contests") from None


# Text -----------------------------------------------------------------------------------------------------------------


class TextTable:
    """Cells with commas, semicolons, tabs or bars between, in lines of UTF-8, the first of which names the columns.

    Attributes:
        header: the names.
        separator: what stands between cells.
        place: for messages.
    """

    def __init__(self, path: Path):
        self.path, self.place = path, Place(named(path), "line")
        with path.open("rb") as file:
            start = file.read(BLOCK)
        self._check_encoding(start)
        self.skipped = 3 if start.startswith(b"\xef\xbb\xbf") else 0
        first, self.first = self._line(start, self.skipped), 1
        declared = re.fullmatch(r"sep=(.)", first)  # as spreadsheets write it
        if declared:
            self.skipped += len(first) + 1 + (start[self.skipped + len(first) :][:1] == b"\r")
            first, self.first = self._line(start, self.skipped), 2
        self.separator = declared[1] if declared else max(SEPARATORS, key=re.sub(r'"[^"]*"', "", first).count)
        if self.separator not in SEPARATORS:
            raise AllpayError(f"{self.place.file}: cells are separated by , ; | or tabs: got {short(self.separator)}")
        if first.count(self.separator) >= MOST_COLUMNS:
            raise AllpayError(
                f"{self.place.file} has {first.count(self.separator) + 1:,} columns, more than the {MOST_COLUMNS:,} that are "
                "read: leave out those that are not needed"
            )
        try:
            self.header = tuple(
                name.strip() for name in next(csv.reader([first], delimiter=self.separator, strict=True), [])
            )
        except csv.Error as error:
            self.place.fault(self.first, "", f"the names of the columns cannot be read ({error})")

    def _check_encoding(self, start: bytes) -> None:
        if start[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in start[:1000]:
            raise AllpayError(f"{self.place.file} is not text in UTF-8 (UTF-16, perhaps): save it as CSV in UTF-8")
        if start[:4] == b"PK\x03\x04" or start[:4] == b"\xd0\xcf\x11\xe0":
            raise AllpayError(f"{self.place.file} is a spreadsheet or an archive: save the table as CSV in UTF-8")
        if start[:4] == b"PAR1":
            raise AllpayError(f"{self.place.file} is Parquet: let its name end in .parquet")

    def _line(self, start: bytes, begin: int) -> str:
        """The line that begins there, without its end."""
        end = start.find(b"\n", begin)
        if end < 0 and len(start) == BLOCK:
            raise AllpayError(f"{self.place.file} has no line break in {BLOCK:,} bytes: it is no table")
        line = start[begin : len(start) if end < 0 else end]
        if b"\r" in line[:-1]:
            raise AllpayError(f"{self.place.file} ends its lines with CR alone: save it with the line ends of today")
        return self._text(line.rstrip(b"\r"), 1)

    def _text(self, given: bytes, line: int) -> str:
        try:
            return given.decode()
        except UnicodeDecodeError as error:
            wrong, at = given[error.start], line + given[: error.start].count(b"\n")
            self.place.fault(at, "", f"byte 0x{wrong:02x} is not UTF-8 (Latin-1, perhaps): save it as CSV in UTF-8")

    def parts(self, columns: Sequence[int]) -> Iterator[Part]:
        """The rows, without those in which nothing stands, of the columns of these numbers, each from 0.

        Raises:
            AllpayError: naming the line, if rows have too few or too many cells, or quotes do not fit.
        """
        rows, line, rest = 0, 1 if self.first == 1 else 2, b""
        header = True
        with self.path.open("rb") as file:
            file.seek(self.skipped)
            while True:
                read = file.read(BLOCK)
                block = rest + read
                if not read and block and not block.endswith(b"\n"):
                    block += b"\n"
                if not block:
                    return
                cut = self._cut(block, line, last=not read)
                block, rest = block[:cut], block[cut:]
                if len(rest) > BLOCK:
                    self.place.fault(line, "", f"longer than {BLOCK:,} bytes: it is no table")
                if not block:
                    continue
                count = block.count(b"\n")
                part = self._part(block, line, columns, header)
                header, line = False, line + count
                rows += len(part.lines)
                if rows > MOST_ROWS:
                    raise AllpayError(
                        f"{self.place.file} has more than the {MOST_ROWS:,} rows that are read: give some of the contests"
                    )
                yield part

    def _cut(self, block: bytes, line: int, last: bool) -> int:
        """Where the last line ends that is whole; 0 if none does."""
        if b'"' not in block:
            return block.rfind(b"\n") + 1
        raw = np.frombuffer(block, np.uint8)
        inside = _inside(raw)
        whole = np.flatnonzero((raw == _NEWLINE) & (inside == 0))
        cut = int(whole[-1]) + 1 if whole.size else 0
        if inside[-1] and (last or len(block) - cut > BLOCK):
            self._check_quotes(raw, inside, line)
            at = line + block.count(b"\n", 0, block.rindex(b'"'))
            self.place.fault(at, "", "a quote is opened or closed alone: close it, or leave it out")
        return cut

    def _part(self, block: bytes, line: int, columns: Sequence[int], header: bool) -> Part:
        import polars as pl

        if not block.isascii():
            self._text(block, line)
        if b"\0" in block:
            self.place.fault(line + block[: block.index(b"\0")].count(b"\n"), "", "a byte 0: it is no text")
        block = block.replace(b"\r\n", b"\n")
        raw = np.frombuffer(block, np.uint8)
        breaks, apart = np.flatnonzero(raw == _NEWLINE), np.flatnonzero(raw == ord(self.separator))
        ends = breaks
        if b'"' in block:
            inside = _inside(raw)
            ends, apart = breaks[inside[breaks] == 0], apart[inside[apart] == 0]
            self._check_quotes(raw, inside, line)
        starts = np.append(0, ends[:-1] + 1)
        cells = np.diff(np.searchsorted(apart, ends), prepend=0) + 1
        lines = line + (np.searchsorted(breaks, starts) if len(ends) < len(breaks) else np.arange(len(ends)))
        kept = np.ones(len(ends), bool)
        kept[0] = not header
        if len(self.header) > 1 and np.any(cells == 1):
            kept &= (cells > 1) | np.add.reduceat(raw > ord(" "), starts, dtype=np.int64).astype(bool)
        wrong = np.flatnonzero(kept & (cells != len(self.header)))
        if wrong.size:
            found, wanted = int(cells[wrong[0]]), len(self.header)
            remedy = "put a cell with a separator in it into quotes" if found > wanted else "fill up the row"
            self.place.fault(int(lines[wrong[0]]), "", f"{found:,} cells where the header has {wanted:,}: {remedy}")
        if not kept.all():
            block = raw[np.repeat(kept, ends - starts + 1)].tobytes()
        names = [f"column_{k}" for k in range(len(self.header))]
        if not kept.any():
            return Part([pl.Series(names[k], [], pl.String) for k in columns], lines[kept])
        try:
            read = pl.read_csv(
                block,
                has_header=False,
                schema=dict.fromkeys(names, pl.String),
                columns=[names[k] for k in sorted(set(columns))],
                separator=self.separator,
            )
        except pl.exceptions.PolarsError as error:
            raise AllpayError(f"{self.place.file} cannot be read as a table: {error}") from None
        if len(read) != int(kept.sum()):
            raise AllpayError(f"{self.place.file} cannot be read as a table: its quotes do not fit")
        return Part([read[names[k]] for k in columns], lines[kept])

    def _check_quotes(self, raw: NDArray[np.uint8], inside: NDArray[np.uint8], line: int) -> None:
        """Raise AllpayError if a quote stands within a cell: readers differ in what it means."""
        edges = [_NEWLINE, ord(self.separator), _QUOTE]
        places = np.flatnonzero(raw == _QUOTE)
        opens = inside[places] == 1
        before = np.append(_NEWLINE, raw)[places]
        after = np.append(raw, _NEWLINE)[places + 1]
        stray = places[~np.isin(np.where(opens, before, after), edges)]
        if stray.size:
            at = line + int(np.count_nonzero(raw[: stray[0]] == _NEWLINE))
            self.place.fault(at, "", "a quote within a cell: leave it out, or put the cell into quotes and double it")


def _inside(raw: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`[bytes]` 1 where quotes are open, the one that opens included, the one that closes not."""
    return np.cumsum(raw == _QUOTE, dtype=np.uint8) & np.uint8(1)  # the sum wraps around, which leaves it even or odd


# Parquet --------------------------------------------------------------------------------------------------------------


class ParquetTable:
    """The columns of a Parquet file; attributes as those of `TextTable`."""

    separator = ""

    def __init__(self, path: Path):
        import mmap

        import polars as pl

        from allpay.study.parquet import header

        self.path, self.place = path, Place(named(path), "row")
        try:
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
                said = header(cast(bytes, held))
            if said.rows > MOST_ROWS or said.columns > MOST_COLUMNS:
                raise AllpayError(
                    f"{self.place.file} has {said.rows:,} rows and {said.columns:,} columns, more than the {MOST_ROWS:,} or "
                    f"{MOST_COLUMNS:,} that are read: give some of the contests, and only columns that are needed"
                )
            check_memory(2 * said.size, f"unpacking {self.place.file}", "leave out the columns that are not needed")
            self.header = tuple(pl.read_parquet_schema(path))
        except (ValueError, OSError, pl.exceptions.PolarsError) as error:
            if isinstance(error, AllpayError):
                raise
            raise AllpayError(
                f"{self.place.file} cannot be read as Parquet ({error}): write it again, or as CSV"
            ) from None

    def parts(self, columns: Sequence[int]) -> Iterator[Part]:
        """The rows of the columns of these numbers; all at once, since they are packed.

        Raises:
            AllpayError: if they cannot be read, or have neither text nor numbers.
        """
        import polars as pl

        names = [self.header[k] for k in columns]
        try:
            read = pl.read_parquet(self.path, columns=list(dict.fromkeys(names)))
        except (OSError, pl.exceptions.PolarsError) as error:
            raise AllpayError(
                f"{self.place.file} cannot be read as Parquet ({error}): write it again, or as CSV"
            ) from None
        for name, kind in read.schema.items():
            if kind in (pl.Categorical, pl.Enum) or kind.is_temporal():
                read = read.with_columns(pl.col(name).cast(pl.String))
            elif not (kind in (pl.String, pl.Null) or kind.is_numeric()):
                raise AllpayError(
                    f"{self.place.file}, column {shortened(name, 40)}: neither text nor numbers ({kind}): write it as text"
                )
        yield Part([read[name] for name in names], np.arange(1, len(read) + 1))


# Cells ----------------------------------------------------------------------------------------------------------------

_COMMA = r"^[+-]?\d*,\d+(?:[eE][+-]?\d+)?$"
_THOUSANDS = r"^[+-]?[1-9]\d{0,2}[.,]\d{3}$"
_APART = r"^\D{0,4}\d{1,3}(?:[,.'’\s_\u00a0\u202f]\d{3})+(?:[.,]\d+)?\D{0,4}$"
_MARKED = r"[$€£¥₹%]|[A-Z]{3}|[kK]$"


@dataclass
class Numbers:
    """Reads numbers, and remembers which decimal mark a file has.

    Attributes:
        place: for messages.
        separator: of the file; of commas, decimals have a point.
        clear: by mark, whether some number with it cannot be meant as thousands.
        doubtful: by mark, the first number that can be: line, column and text.
    """

    place: Place
    separator: str
    clear: dict[str, bool] = field(default_factory=dict)
    doubtful: dict[str, tuple[int, str, str]] = field(default_factory=dict)

    @property
    def mark(self) -> str:
        """The decimal mark; empty if no number has one."""
        return next(iter(self.clear), next(iter(self.doubtful), ""))

    def read(self, cells: "pl.Series", lines: Lines, column: str) -> NDArray[np.float64]:
        """`[rows]` the numbers of cells, NaN where nothing stands.

        Raises:
            AllpayError: naming line and column, if something else does, or a number is infinite.
        """
        import polars as pl

        if cells.dtype != pl.String:
            found = cells.cast(pl.Float64, strict=False).to_numpy()
            self._check_finite(found, cells, lines, column)
            return np.asarray(np.where(np.isfinite(found), found, np.nan) + 0.0)
        text = cells.str.strip_chars()
        numbers = text.cast(pl.Float64, strict=False)
        if self.separator != ",":
            self._note(
                ".", text.filter(numbers.is_not_null() & text.str.contains(".", literal=True)), text, lines, column
            )
        found = numbers.to_numpy(writable=True)
        rest = (numbers.is_null() & text.is_not_null()).to_numpy()
        if rest.any():
            found[rest] = self._others(text.filter(pl.Series(rest)), lines[rest], column)
        self._check_finite(found, text, lines, column)
        return np.asarray(found + 0.0)  # which makes 0 of −0

    def _others(self, left: "pl.Series", lines: Lines, column: str) -> NDArray[np.float64]:
        """`[cells]` what is no number as it stands: empty cells, decimal commas."""
        import polars as pl

        fine = left.str.to_lowercase().is_in(list(MISSING)).to_numpy()
        found = np.full(len(left), np.nan)
        if self.separator != ",":
            comma = left.str.contains(_COMMA)
            if comma.any():
                read = left.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False).to_numpy()
                found = np.where(comma.to_numpy(), read, np.nan)
                fine = fine | ~np.isnan(found)
                self._note(",", left.filter(comma), left, lines, column)
        if not fine.all():
            k = int(np.argmin(fine))
            self.place.fault(int(lines[k]), column, self._said(str(left[k])))
        return found

    def _said(self, text: str) -> str:
        """What is wrong with a text that should be a number."""
        if re.search(_APART, text):
            remedy = "write numbers without marks between thousands, as 7500"
        elif re.fullmatch(r"[+-]?\d*,\d+", text):
            remedy = "write decimals with a point, or separate cells by semicolons"
        elif re.search(_MARKED, text):
            remedy = "write the number alone, without a unit"
        else:
            remedy = "write a number, or leave the cell empty"
        return f"{short(text, 40)} is no number: {remedy}"

    def _note(self, mark: str, found: "pl.Series", text: "pl.Series", lines: Lines, column: str) -> None:
        if found.is_empty():
            return
        other = next((m for m in (*self.clear, *self.doubtful) if m != mark), None)
        first = found[0]
        at = int(lines[int((text == first).arg_max() or 0)])
        if other is not None:
            self.place.fault(
                at,
                column,
                f"{short(first, 40)} has a decimal {_called(mark)}, and others a {_called(other)}: write all alike",
            )
        if self.clear.get(mark):
            return
        unclear = found.str.contains(_THOUSANDS)
        if (~unclear).any():
            self.clear[mark] = True
        elif mark not in self.doubtful:
            self.doubtful[mark] = (at, column, first)

    def check(self) -> None:
        """Raise AllpayError if all numbers with a mark can be meant as thousands: 7,500 or 7.500."""
        for mark, (line, column, text) in self.doubtful.items():
            if not self.clear.get(mark) and (mark == "," or self.separator == ";"):
                plain = re.sub(r"[.,]", "", text)
                self.place.fault(line, column, f"{text} can be read in two ways: write {plain}, or decimals as {text}0")

    def _check_finite(self, found: Any, text: "pl.Series", lines: Lines, column: str) -> None:
        infinite = np.flatnonzero(np.isinf(found))
        if infinite.size:
            k = int(infinite[0])
            self.place.fault(int(lines[k]), column, f"{short(str(text[k]), 40)} must be finite: correct it")


def _called(mark: str) -> str:
    return {",": "comma", ".": "point"}[mark]


def texts(cells: "pl.Series", lines: Lines, column: str, place: Place) -> "pl.Series":
    """Names, as text without spaces around.

    Raises:
        AllpayError: naming line and column, if one is empty.
    """
    import polars as pl

    found = (cells.fill_nan(None) if cells.dtype.is_float() else cells).cast(pl.String).str.strip_chars()
    empty = (found.is_null() | (found == "")).to_numpy()
    if empty.any():
        place.fault(int(lines[int(np.argmax(empty))]), column, "nothing stands here: fill it in, or leave the row out")
    return found


def hashes(found: "pl.Series") -> NDArray[np.uint64]:
    """`[rows]` a number for each name, the same for the same: names themselves are not kept."""
    return np.asarray(found.hash(seed=0).to_numpy(), np.uint64)

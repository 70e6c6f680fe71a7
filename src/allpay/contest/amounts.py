"""Prizes as people write them: amounts of money, percent, fractions, or shares; on one line or in a table.

What could be read in two ways is refused.
"""

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from allpay.errors import AllpayError, short, shortened

MOST_PRIZES = 100_000
"""More prizes than this are refused: there are no more bidders."""

MOST_BYTES = 10_000_000
"""A file of prizes is not longer."""

MOST = 1e15
"""No prize is larger; up to here cents are whole numbers."""

DECIMALS = 2
"""Money has at most so many."""

OFF = 0.1
"""By how much percentages may miss 100, as rounded ones do: three of 33.3%."""

FINE = 1e-4
"""Amounts of a table that was computed are written to this part of the purse."""

_SIGNS = "$€£¥₹"
_SIGN = rf"[{_SIGNS}]|[A-Z]{{3}}(?![A-Za-z])"
_BREAK = re.compile(r"[ \t\r\n;]+")
_PLAIN = r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,2})?"
_GROUPED = r"\d{1,3}(?:[,'’_\u00a0\u202f]\d{3})+(?:\.\d+)?"
_AMOUNT = re.compile(
    rf"(?P<before>{_SIGN})?(?:(?P<top>\d+)/(?P<bottom>\d+)|(?P<grouped>{_GROUPED})|(?P<plain>{_PLAIN}))"
    rf"(?P<kilo>[kK])?(?P<percent>%)?(?P<after>{_SIGN})?"
)
_DOTTED = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+")
_SPLIT = re.compile(r",(?=\d|\.\d|[$€£¥₹A-Z])")


@dataclass(frozen=True)
class Amounts:
    """What each rank wins, in the unit in which it was given.

    Attributes:
        numbers: `[ranks]` the prizes, the highest rank first; of percent, 50 is 50 %.
        unit: `money`, `percent`, `fraction`, or `share` for decimals of a whole of 1.
        currency: a sign or a code, as it was written; empty if none was.
    """

    numbers: tuple[float, ...]
    unit: str
    currency: str = ""

    @property
    def total(self) -> float:
        """The purse: the sum of the prizes; 100 of percent that are rounded, 1 of fractions and shares."""
        return {"money": math.fsum(self.numbers), "percent": 100.0}.get(self.unit, 1.0)

    @property
    def shares(self) -> tuple[float, ...]:
        """`[ranks]` each prize as a part of their sum."""
        whole = math.fsum(self.numbers)
        return tuple(x / whole for x in self.numbers)

    def of(self, share: float) -> str:
        """A part of the purse, in words: `7,500`, `$1,234`, `37.5%`, `3/8`, `0.375`."""
        x = share * self.total
        if self.unit == "money":
            code = self.currency.isalpha()
            text = f"{_trimmed(x, self.total)}{f' {self.currency}' if code else ''}"
            return text if code else f"{self.currency}{text}"
        if self.unit == "percent":
            return f"{_trimmed(x, 100.0)}%"
        near = Fraction(x).limit_denominator(100)
        if self.unit == "fraction" and abs(float(near) - x) < 1e-9:
            return str(near)
        return _trimmed(x, 1.0)

    @property
    def sentence(self) -> str:
        """What was read, and what it comes to: for the reader to see that it was read rightly."""
        shares = runs_in_words([f"{x:.3g}" for x in self.shares])
        if self.unit == "money":
            return f"Prizes of {self.of(1.0)} in all; shares {shares}."
        return f"Weights given {'in percent' if self.unit == 'percent' else f'as {self.unit}s'}; shares {shares}."

    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "unit": self.unit,
            "currency": self.currency or None,
            "total": self.total,
            "prizes": self.numbers,
            "shares": self.shares,
            "sentence": self.sentence,
        }


def runs_in_words(cells: Sequence[str], most: int = 8) -> str:
    """Cells with commas between, equal ones counted, of a long row the middle left out.

    >>> runs_in_words(["7,500", "5,000", "1,000", "1,000"])
    '7,500, 5,000, 1,000 × 2'
    """
    runs = [(cell, len(list(same))) for cell, same in groupby(cells)]
    texts = [cell if count == 1 else f"{cell} × {count}" for cell, count in runs]
    return ", ".join(texts if len(texts) <= most else [*texts[: most - 2], "…", texts[-1]])


def _trimmed(x: float, whole: float) -> str:
    """A number to a ten-thousandth of the whole or so, without the zeros that this may leave behind its point."""
    decimals = max(0, math.ceil(-math.log10(whole * FINE)))
    exact = round(x, DECIMALS if whole >= 1 else 12)
    if abs(exact - x) < 1e-11 * whole and decimals < DECIMALS and exact != round(x, decimals):
        decimals = DECIMALS  # cents that somebody wrote
        return f"{x:,.{decimals}f}"
    text = f"{x:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


# Reading --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Piece:
    """One amount as it was written, how often, and what else it could mean.

    Attributes:
        number: the amount; of a fraction its value.
        count: how many ranks have it.
        kind: `percent`, `fraction`, `money` if it has a sign of money, else `plain`.
        text: as it was written.
        currency: its sign.
        swapped: the same with amount and count the other way round, if it may be meant so.
    """

    number: float
    count: int
    kind: str
    text: str
    currency: str = ""
    swapped: tuple[float, int] | None = None

    @property
    def amount(self) -> str:
        """The amount alone, as it was written or as a number."""
        return self.text if self.count == 1 else f"{self.number:,.10g}{'%' if self.kind == 'percent' else ''}"


def amounts(given: str | Sequence[str]) -> Amounts:
    """Read prizes: `7500 5000 2500 1000x5`, `50% 30% 20%`, `3/5, 2/5`, `$7,500 $5,000`, or `0.5,0.3,0.2`.

    Spaces, semicolons or commas stand between prizes, and each may be repeated: `1000x5` is five prizes of 1000. Thousands
    may be set apart by commas, where that is the only way to read them. Prizes do not rise from one rank to the next.

    Raises:
        AllpayError: if something is no amount, prizes are in different units, rise, or miss their sum (of percent and
            fractions), or if there is more than one way to read them.

    >>> amounts("7500 5000 2500 1000x5").total
    20000.0
    >>> amounts("50%,30%,20%").shares
    (0.5, 0.3, 0.2)
    """
    text = given if isinstance(given, str) else " ".join(given)
    tokens = [token.rstrip(",") for token in _BREAK.split(text.strip()) if token.rstrip(",")]
    if not tokens:
        raise AllpayError("no prizes are given: write them as 7500 5000 2500, 50% 30% 20% or 3/5 2/5")
    apart, together = _pieces(tokens, _SPLIT), _pieces(tokens, re.compile(rf",(?=[{_SIGNS}])"))
    pieces = apart
    if "," in text and not isinstance(together, AllpayError) and _fall(together):
        signs = [bool(piece.currency) for piece in together]
        if isinstance(apart, AllpayError) or not _fall(apart) or (len(together) > 1 and all(signs)):
            pieces = together
        elif together != apart and (len(together) > 1 or any(signs)):
            raise AllpayError(
                f"{shortened(text, 60)!r} can be read in two ways: commas may stand between prizes or set thousands apart; "
                "write the prizes with spaces between, and without commas in them"
            )
    if isinstance(pieces, AllpayError):
        raise pieces
    return _checked(pieces)


def _pieces(tokens: Sequence[str], split: re.Pattern[str]) -> list[_Piece] | AllpayError:
    """The amounts in some words, each of which may hold several; or what is wrong with them."""
    try:
        return [_piece(part) for token in tokens for part in split.split(token)]
    except AllpayError as error:
        return error


def _piece(text: str) -> _Piece:
    """One amount, perhaps with how many ranks win it."""
    body, times, count = text.partition("×") if "×" in text else text.partition("x")
    if not times:
        return _amount(text, text, 1)
    if (
        body.isdecimal() and re.search(r"\d", count) and not count.isdecimal()
    ):  # 5x10%: the mark says which is the amount
        body, count = count, body
    if not count.isdecimal():
        raise AllpayError(f"cannot read {short(text, 40)}: five prizes of 1000 are written as 1000x5")
    if not 1 <= int(count[:9]) <= MOST_PRIZES or len(count) > 9:
        raise AllpayError(f"a prize is repeated from 1 to {MOST_PRIZES:,} times: got {short(text, 40)}")
    piece = _amount(body, text, int(count))
    if piece.kind == "plain" and body.isdecimal() and 1 <= int(body) < int(count):
        return _Piece(piece.number, piece.count, piece.kind, text, swapped=(float(count), int(body)))
    return piece


def _amount(body: str, text: str, count: int) -> _Piece:
    found = _AMOUNT.fullmatch(body)
    if found is None and body.startswith(("-", "−")) and _AMOUNT.fullmatch(body[1:]):
        raise AllpayError(f"a prize cannot be below 0: got {short(text, 40)}")
    if found is None or re.match(r"0\d", found["plain"] or ""):  # what is left of 5,000
        raise AllpayError(
            f"cannot read the prize {short(text, 40)}: write amounts as 7500 or $7,500, percent as 50%, fractions as 3/5, "
            "five prizes of 1000 as 1000x5, with spaces between"
        )
    currency, marks = found["before"] or found["after"] or "", [found["before"], found["after"]]
    beside = currency or found["kilo"] or found["top"]
    if (found["percent"] and beside) or all(marks) or (found["top"] and currency):
        raise AllpayError(f"the prize {short(text, 40)} is in two units: give one of them")
    if found["top"]:
        if int(found["bottom"]) == 0 or len(body) > 40:
            raise AllpayError(f"a fraction has two whole numbers, the lower one above 0: got {short(text, 40)}")
        return _Piece(float(Fraction(int(found["top"]), int(found["bottom"]))), count, "fraction", text)
    digits = re.sub(r"[,'’_\u00a0\u202f]", "", found["grouped"] or found["plain"])
    kind = "percent" if found["percent"] else "money" if currency or found["kilo"] or found["grouped"] else "plain"
    number = float(digits) * (1000 if found["kilo"] else 1)
    if not number <= MOST:
        raise AllpayError(f"a prize is at most {MOST:g}: got {short(text, 40)}")
    return _Piece(number, count, kind, text, currency)


def _fall(pieces: Sequence[_Piece]) -> bool:
    return all(a.number >= b.number for a, b in pairwise(pieces))


def _checked(pieces: Sequence[_Piece]) -> Amounts:
    """The amounts of pieces that fit together."""
    if sum(piece.count for piece in pieces) > MOST_PRIZES:
        raise AllpayError(f"there are at most {MOST_PRIZES:,} prizes: got {sum(piece.count for piece in pieces):,}")
    for k, piece in enumerate(pieces):
        other = piece.swapped and [*pieces[:k], _Piece(*piece.swapped, piece.kind, piece.text), *pieces[k + 1 :]]
        if other and _fall(other) and _fall(pieces):
            amount, count = piece.swapped or (0, 0)
            raise AllpayError(
                f"{piece.text} can be read in two ways: write {amount:g}x{count} for {count} prizes of {amount:g}, or "
                f"{' '.join([f'{piece.number:g}'] * 2)} … for {piece.count} of {piece.number:g}"
            )
    numbers = tuple(piece.number for piece in pieces for _ in range(piece.count))
    unit, currency = _unit(pieces, numbers), _currency(pieces)
    check_falling(numbers, [piece.amount for piece in pieces for _ in range(piece.count)])
    whole = math.fsum(numbers)
    single = len(numbers) == 1 and unit != "money"  # w, which stands for (w, 1−w): for the caller to know
    if not single and unit == "percent" and abs(whole - 100) > OFF * (1 + 1e-9):
        raise AllpayError(f"percentages must sum to 100: {_added(pieces)} are {whole:g}%; correct one, or give amounts")
    if not single and unit == "fraction" and abs(whole - 1) > 1e-9:
        total = Fraction(whole).limit_denominator(10**6)
        raise AllpayError(f"fractions must sum to 1: {_added(pieces)} are {total}; correct one, or give amounts")
    carrying = sum(x > 0 for x in numbers)
    return Amounts(numbers[:carrying], unit, currency)


def check_falling(numbers: Sequence[float], texts: Sequence[str] | None = None) -> None:
    """Raise AllpayError, in the words of whoever pays prizes, if one of them is larger than that of the rank before.

    Args:
        numbers: the prizes, the first rank first.
        texts: how they were written, if not as these numbers.
    """
    texts = [f"{x:,.10g}" for x in numbers] if texts is None else texts
    for k in range(1, len(numbers)):
        if numbers[k] > numbers[k - 1]:
            more, less = shortened(texts[k], 40), shortened(texts[k - 1], 40)
            raise AllpayError(
                f"prizes must not rise: rank {k + 1} gets {more}, more than the {less} of rank {k}; give the first rank first, "
                "and decimals with a point"
            )


def _unit(pieces: Sequence[_Piece], numbers: Sequence[float]) -> str:
    """The unit of amounts, which is one for all."""
    if not max(numbers) > 0:
        raise AllpayError("there is nothing to win: give the first rank a prize above 0")
    kinds = {piece.kind for piece in pieces if piece.number > 0}
    if kinds == {"fraction", "plain"} and all(piece.number <= 1 for piece in pieces):
        return "fraction"
    if len(kinds - {"plain"}) > 1 or (len(kinds) > 1 and "money" not in kinds):
        one, other = (next(piece.text for piece in pieces if piece.kind == kind) for kind in sorted(kinds)[:2])
        raise AllpayError(f"prizes are given in one unit: got {one} and {other}; write all in the same")
    if kinds != {"plain"}:
        return next(iter(kinds - {"plain"}))
    if not plainly_money(numbers):
        return "share"
    dotted = next((piece.text for piece in pieces if _DOTTED.fullmatch(piece.text.partition("x")[0])), None)
    if dotted:
        number = dotted.partition("x")[0]
        raise AllpayError(
            f"{dotted} can be read in two ways: write {float(number):g} or {number.replace('.', '')}, without a point between "
            "thousands"
        )
    return "money"


def plainly_money(numbers: Sequence[float]) -> bool:
    """Whether numbers can only be amounts, and no shares: each at least 1, or nothing, and with at most two decimals."""
    given = [x for x in numbers if x != 0]
    if not given or numbers[0] == 0 or not all(math.isfinite(x) and x >= 1 for x in given) or math.fsum(given) <= 1:
        return False
    return all(abs(x - round(x, DECIMALS)) <= 1e-9 * x for x in given)


def _currency(pieces: Sequence[_Piece]) -> str:
    found = list(dict.fromkeys(piece.currency for piece in pieces if piece.currency))
    if len(found) > 1:
        raise AllpayError(f"prizes are given in one currency: got {found[0]} and {found[1]}")
    return found[0] if found else ""


def _added(pieces: Sequence[_Piece]) -> str:
    return shortened(" + ".join(piece.text for piece in pieces), 80)


def weights_in(text: str, rule: str) -> tuple[float | tuple[float, ...], Amounts | None]:
    """The weights that a text gives, as `Mechanism.from_weights` takes them: w for (w, 1−w, 0, …), or one per rank; and what
    these were given as, unless as plain weights.

    Raises:
        AllpayError: if it cannot be read, or the rule does not split money.

    >>> weights_in("0.8", "prizes")[0], weights_in("80%", "prizes")[0], weights_in("6000,4000", "prizes")[0]
    (0.8, 0.8, (0.6, 0.4))
    """
    parts = text.split(",")
    try:
        numbers = tuple(float(part) for part in parts)
    except ValueError:
        numbers = ()
    if numbers and (len(numbers) == 1 or not plainly_money(numbers)):
        if len(numbers) > 1 and "." not in text and math.fsum(numbers) >= 2:
            raise AllpayError(
                f"weights must sum to 1: {shortened(text, 80)} sum to {math.fsum(numbers):g}; decimals are written with a "
                "point: 0.8"
            )
        return numbers[0] if len(numbers) == 1 else numbers, None
    try:
        found = amounts(text)
    except AllpayError as error:
        if not numbers and not any(c.isdigit() for c in text):
            raise AllpayError(
                f"cannot read the weights {short(text)}: write w as 0.8, a weight per rank as 0.5,0.3,0.2, or prizes as "
                "7500,5000,2500 or 50%,30%,20%"
            ) from None
        if "weight" in str(error):
            raise
        raise AllpayError(f"weights: {error}") from None
    if found.unit == "money":
        check_money(rule)
        return found.shares, found
    if len(found.numbers) == 1:
        return found.numbers[0] / (100.0 if found.unit == "percent" else 1.0), None
    return (found.numbers if found.unit == "share" else found.shares), found


def parts_in(text: str, what: str, money: float | None = None) -> tuple[float, ...]:
    """Parts of a whole that need not sum to it, one for each rank: `5%x5`, `0.2,0.1`, `1/5 1/10`.

    Args:
        text: to be read.
        what: takes them, for the message.
        money: what the whole comes to, if parts may be amounts of it.

    Raises:
        AllpayError: if it cannot be read, or one is more than the whole.

    >>> parts_in("10%, 5%x2", "--at-least")
    (0.1, 0.05, 0.05)
    """
    tokens = [token.rstrip(",") for token in _BREAK.split(text.strip()) if token.rstrip(",")]
    pieces = _pieces(tokens, _SPLIT)
    if (
        isinstance(pieces, AllpayError)
        or not pieces
        or any(_part(piece, money) > 1 for piece in pieces)
        or sum(piece.count for piece in pieces) > MOST_PRIZES
    ):
        raise AllpayError(
            f"{what} takes parts of the whole, as 5%, 0.05 or 1/20, five of them as 5%x5: got {short(text, 60)}"
        )
    return tuple(_part(piece, money) for piece in pieces for _ in range(piece.count))


def part_in(text: str, what: str, money: float | None = None) -> float:
    """One part of a whole, see `parts_in`: `60%`, `0.6`, `3/5`. A number is taken as it is, whether it is a part or not, unless
    the whole is money: one above 1 is then an amount of it.

    Raises:
        AllpayError: if it cannot be read.

    >>> part_in("60%", "--first-at-most")
    0.6
    """
    with suppress(ValueError):
        number = float(text)
        if money is None or not number > 1:
            return number
    try:
        (part,) = parts_in(text, what, money)
    except ValueError:  # an AllpayError is one
        raise AllpayError(f"{what} takes one part of the whole, as 60%, 0.6 or 3/5: got {short(text, 60)}") from None
    return part


def _part(piece: _Piece, money: float | None) -> float:
    """The part of the whole that an amount is; a plain number above 1 is money."""
    if piece.kind == "money" or (piece.kind == "plain" and piece.number > 1):
        return math.inf if not money or not money > 0 else piece.number / money
    return piece.number / (100.0 if piece.kind == "percent" else 1.0)


def check_money(rule: str) -> None:
    """Raise AllpayError if weights of a rule are no amounts of money."""
    if rule != "prizes":
        raise AllpayError(
            f"amounts of money split a prize: under the rule {rule} weights are the parts of a bid that ranks pay; give "
            "them as 0.6,0.4 or 60%,40%, or take the rule prizes"
        )


# Tables ---------------------------------------------------------------------------------------------------------------


def read_amounts(path: Path) -> Amounts:
    """Read a table of prizes: columns `rank` and `prize`; a rank may be a range, as `4-10`, each of which wins the prize.

    Raises:
        AllpayError: naming file and line, if it cannot be read, a rank is missing or given twice, or a prize cannot be read.
    """
    name = shortened(str(path), 80)
    try:
        if path.exists() and not path.is_file():
            raise AllpayError(f"{name} is not a file: give a table with the columns rank and prize")
        with path.open("rb") as file:
            held = file.read(MOST_BYTES + 1)
        text = held.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise AllpayError(f"cannot read {name}: {reason}; give a table with the columns rank and prize") from None
    if len(held) > MOST_BYTES:
        raise AllpayError(f"{name} has more than {MOST_BYTES:,} bytes: give a table of at most {MOST_PRIZES:,} ranks")
    try:
        return _checked(_in_order(list(_rows(text))))
    except AllpayError as error:
        raise AllpayError(f"{name}: {error}") from None


def _rows(text: str) -> Iterator[tuple[int, int, _Piece]]:
    """First and last rank and prize of each row."""
    first = text.splitlines()[0] if text.strip() else ""
    delimiter = max(",;\t", key=first.count)
    table = csv.reader(io.StringIO(text), delimiter=delimiter)
    try:
        head = [cell.strip().lower() for cell in next(table, [])]
        if "rank" not in head or "prize" not in head:
            raise AllpayError(f"the first line must name the columns rank and prize: got {short(first.strip(), 60)}")
        for row in table:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(head):
                raise AllpayError(
                    f"line {table.line_num} has {len(row)} cells of {len(head)}: put a prize with commas into quotes"
                )
            cells = dict(zip(head, (cell.strip() for cell in row), strict=True))
            ranks = re.fullmatch(r"(\d{1,6})(?:\s*[-–]\s*(\d{1,6}))?", cells["rank"])
            if ranks is None:
                raise AllpayError(
                    f"line {table.line_num}: a rank is a number, or several as 4-10: got {short(cells['rank'], 40)}"
                )
            low, high = int(ranks[1]), int(ranks[2] or ranks[1])
            if not 1 <= low <= high <= MOST_PRIZES:
                raise AllpayError(f"line {table.line_num}: ranks go from 1 up: got {cells['rank']}")
            if not cells["prize"]:
                raise AllpayError(
                    f"line {table.line_num}: rank {cells['rank']} has no prize: write 0, or leave the line out"
                )
            try:
                piece = _amount(cells["prize"].replace(" ", ""), cells["prize"], high - low + 1)
            except AllpayError as error:
                what, _, remedy = str(error).partition(": write amounts")
                shown = ": write an amount as 7500 or $7,500, percent as 50%, or a fraction as 3/5" if remedy else ""
                raise AllpayError(f"line {table.line_num}: {what}{shown}") from None
            yield low, high, piece
    except csv.Error as error:
        raise AllpayError(f"line {table.line_num}: {error}") from None


def _in_order(rows: Sequence[tuple[int, int, _Piece]]) -> list[_Piece]:
    """The prizes of rows, by rank."""
    if not rows:
        raise AllpayError("it has no rows: give a line for each rank, as 1,7500")
    reached, pieces = 0, []
    for low, high, piece in sorted(rows, key=lambda row: row[0]):
        if low != reached + 1:
            wrong = f"rank {low} is given twice" if low <= reached else f"rank {reached + 1} is missing"
            raise AllpayError(f"{wrong}: give each rank once, from 1 on")
        pieces.append(piece)
        reached = high
    return pieces

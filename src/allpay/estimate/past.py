"""Past contests: who bid what for which prizes, read from a table. Nothing is estimated here, and no names are kept.

A table is long, with a row for each bidder, or wide, with a row for each contest and a column for each bid. Columns are found
by their usual names, or are named.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from allpay.contest.amounts import Amounts, amounts, check_falling
from allpay.errors import AllpayError, exactly, meant, short, shortened
from allpay.estimate.tables import MOST_ROWS, Lines, Numbers, Part, Place, hashes, table, texts
from allpay.frozen import ByValue
from allpay.memory import check_memory
from allpay.scalars import MOST, above_zero, numeral, real

if TYPE_CHECKING:
    import polars as pl

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

ROLES = {
    "contest": ("contest", "auction", "tournament", "race", "event", "competition"),
    "bidder": ("bidder", "player", "team", "participant", "contestant", "entrant"),
    "bid": ("bid", "score", "effort", "points"),
    "rank": ("rank", "place", "position"),
    "prize": ("prize", "won", "payout", "award"),
    "value": ("value", "valuation"),
    "group": ("group", "kind", "type"),
}
"""What a column can be, and what it is usually called; the name may end in id, no, number or name."""

_ENDS = re.compile(r"[ _-]?(?:id|no|nr|number|name)$")

MOST_GROUPS = 100
"""A file has no more groups of bidders."""

SLACK = 1e-9
"""The part by which a bid may pass a limit and still count as within it: rounding."""

TOLD = 0.01
"""Steps in which bids were recorded are told if they are above such a part of the mean bid."""

UNTOLD = np.iinfo(np.int64).max

Column = str | Sequence[str] | None


@dataclass(frozen=True, eq=False)
class Contests(ByValue):
    """Past contests, a row for each bidder who was registered in one.

    Attributes:
        contest: `[rows]` which contest, from 0 on, nondecreasing.
        bid: `[rows]` what was bid; NaN of a bidder who handed in nothing.
        prizes: `[contests, ranks]` what each rank wins, in the file's own units, nonincreasing, filled up with 0.
        rank: `[rows]` from 1, the best, on; 0 where it is not told; None where no ranks are.
        value: `[rows]` what the whole purse was worth to the bidder, NaN where it is not told; None where no values are.
        group: `[rows]` which of `groups`; None where bidders are not told apart.
        groups: what groups are called.
    """

    contest: Whole
    bid: Array
    prizes: Array
    rank: Whole | None = None
    value: Array | None = None
    group: Whole | None = None
    groups: tuple[str, ...] = ()

    @property
    def contests(self) -> int:
        """How many there are."""
        return len(self.prizes)

    @cached_property
    def there(self) -> NDArray[np.bool_]:
        """`[rows]` whether a bidder handed in a bid."""
        return ~np.isnan(self.bid)

    @cached_property
    def registered(self) -> Whole:
        """`[contests]` how many bidders each has."""
        return np.bincount(self.contest, minlength=self.contests)

    @cached_property
    def present(self) -> Whole:
        """`[contests]` how many of them handed in a bid."""
        return np.bincount(self.contest[self.there], minlength=self.contests)

    @cached_property
    def step(self) -> float:
        """In which bids were recorded, as of whole points: the least difference of two that differ; 0 if none are equal, or
        all. Where those that tie are no rounding but meant, as at 0 beside bids of any size, it is next to nothing."""
        ordered = np.sort(self.bid[self.there])
        apart = np.diff(ordered)
        apart = apart[apart > SLACK * ordered[-1:]]
        return float(apart.min()) if 0 < len(apart) < len(ordered) - 1 else 0.0

    @cached_property
    def tables(self) -> tuple[tuple[tuple[float, ...], int], ...]:
        """Each table of prizes and how many contests have it, the most frequent first."""
        found, counts = np.unique(self.prizes, axis=0, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return tuple((tuple(np.trim_zeros(found[k], "b").tolist()), int(counts[k])) for k in order)


@dataclass(frozen=True)
class Read:
    """What was understood of a table of contests.

    Attributes:
        file: its name.
        rows: how many were read, the header and empty ones apart.
        contests: how many are kept.
        bidders: how many rows of bidders these have.
        people: how many different bidders there are; None where they have no names.
        fewest, most: bidders that a contest has.
        tables: how many different tables of prizes there are.
        absent: bidders who handed in nothing.
        unranked: bidders with a bid and without a rank; None where there are no ranks.
        ties: bids above 0 that equal another of the same contest.
        zeros: bids of 0.
        step: in which bids were recorded, as of whole points; 0 if they were not, or in steps below `TOLD` of the mean bid.
        at_cap: bids at the cap; None where there is none.
        all_won: contests in which somebody was absent and all others won: perhaps not all prizes were.
        alone: contests left out, since they have one bidder.
        wide: whether a row is a contest.
        columns: what was found, and the columns taken for it.
        unused: columns that were not read.
        separator: between cells; empty for Parquet.
        decimal: the mark before decimals; empty if no number has any.
    """

    file: str
    rows: int
    contests: int
    bidders: int
    people: int | None
    fewest: int
    most: int
    tables: int
    absent: int
    unranked: int | None
    ties: int
    zeros: int
    step: float
    at_cap: int | None
    all_won: int
    alone: int
    wide: bool
    columns: tuple[tuple[str, tuple[str, ...]], ...]
    unused: tuple[str, ...]
    separator: str
    decimal: str


def read_contests(
    path: Path | str,
    *,
    contest: Column = None,
    bidder: Column = None,
    bid: Column = None,
    rank: Column = None,
    prize: Column = None,
    value: Column = None,
    group: Column = None,
    prizes: str | Amounts | Sequence[float] | None = None,
    max_bid: float | None = None,
    overbidding: bool = True,
    luck: bool = False,
    estimable: bool = True,
) -> tuple[Contests, Read]:
    """The contests of a table, and what was understood of it.

    Args:
        path: of the table: text with commas, semicolons, tabs or bars between cells, or Parquet.
        contest, bidder, bid, rank, prize, value, group: the columns with these, found by their usual names if not given.
            Several of bids, a row then being a contest. One of prizes is what the bidder won; several, or one whose name
            ends in a number, what each rank wins.
        prizes: one table for all contests, if the file has none.
        max_bid: the highest bid that was allowed.
        overbidding: whether a bid may exceed the bidder's value, where values are told.
        luck: whether ranks are decided by more than bids, so that a lower bid may win.
        estimable: whether there must be something to estimate from: at least two contests, and bids that differ.

    Raises:
        AllpayError: naming file, line and column, if it cannot be read, or something in it cannot be.
    """
    asked: dict[str, Column] = {
        **{"contest": contest, "bidder": bidder, "bid": bid, "rank": rank},
        **{"prize": prize, "value": value, "group": group},
    }
    given = None if prizes is None else _one_table(prizes)
    if given is not None and prize is not None:
        raise AllpayError("prizes are given as a table and by a column: leave one of them out")
    source = table(Path(path))
    layout = _Layout.of(source.header, asked, source.place.file, given is None)
    rows = _Rows(layout, source.place, Numbers(source.place, source.separator))
    for part in source.parts(layout.numbers):
        rows.add(part)
    rows.numbers.check()
    joined = rows.joined()
    found = joined.contests(given)
    joined.check(found, None if max_bid is None else above_zero("max bid", max_bid), overbidding, luck)
    if estimable:
        check_estimable(found, source.place.file)
    told = joined.told(found, source.separator, rows.numbers.mark, max_bid)
    return found, told


def check_estimable(contests: Contests, name: str = "the data") -> None:
    """Raise AllpayError unless there are two contests or more, and bids that differ."""
    if contests.contests < 2:
        raise AllpayError(f"{name} has one contest, and an estimate needs at least 2: give more")
    bids = contests.bid[contests.there]
    if not bids.size:
        raise AllpayError(f"{name} has no bid: nobody handed in anything; fill in the column of bids")
    if np.all(bids == bids[0]):
        raise AllpayError(
            f"{name} has the bid {numeral(float(bids[0]))} in all {len(bids):,} rows: bids that are alike say nothing of who "
            "bids; give contests in which they differ"
        )


def _one_table(prizes: str | Amounts | Sequence[float]) -> Array:
    """The prizes of all contests, `[ranks]`: amounts as they are, percent and fractions as parts of 1."""
    if isinstance(prizes, str):
        prizes = amounts(prizes)
    if isinstance(prizes, Amounts):
        prizes = prizes.numbers if prizes.unit in ("money", "share") else prizes.shares
    numbers = [real("a prize", x) for x in prizes]
    wrong = next((x for x in numbers if not 0 <= x <= MOST), None)
    if wrong is not None:
        raise AllpayError(f"a prize must be at least 0 and at most {MOST:g}: got {exactly(wrong)}")
    check_falling(numbers)
    if not any(numbers):
        raise AllpayError("all prizes are 0: give at least one above 0")
    return np.trim_zeros(np.array(numbers), "b")


# Columns --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Layout:
    """Which columns are what.

    Attributes:
        header: all names.
        places: the numbers of the columns of each role that is there.
        wide: whether a row is a contest.
        announced: whether columns of prizes are what each rank wins, not what a bidder won.
    """

    header: tuple[str, ...]
    places: Mapping[str, tuple[int, ...]]
    wide: bool
    announced: bool

    @classmethod
    def of(cls, header: tuple[str, ...], asked: Mapping[str, Column], file: str, prizes: bool) -> "_Layout":
        """The layout of a table with these names of columns.

        Args:
            header: the names.
            asked: the columns of each role that the user named.
            file: its name, for messages.
            prizes: whether the table must say them.
        """
        if all(re.fullmatch(r"[-+\d.,eE\s]*", name) for name in header):
            raise AllpayError(
                f"{file}: the first line must name the columns, as contest,bidder,bid,prize: got {_listed(header)}"
            )
        usual = [re.sub(r"[\s_-]+", "_", name.lower()).strip("_") for name in header]
        found = {}
        for role, names in ROLES.items():
            given = asked.get(role)
            if role == "prize" and not prizes:
                continue
            if given is not None:
                listed = [given] if isinstance(given, str) else list(given)
                found[role] = tuple(_named(name, role, header, file) for name in listed)
            else:
                found[role] = _usual(role, names, usual, header, file)
        places = {role: columns for role, columns in found.items() if columns}
        if "bid" not in places:
            _missing("bid", "bids", header, file)
        wide = len(places["bid"]) > 1
        if not wide and "contest" not in places:
            _missing("contest", "contests", header, file)
        if prizes and "prize" not in places:
            raise AllpayError(
                f"{file} has no column of prizes (prize, what each won; or prize_1, prize_2, …, what each rank wins): it has "
                f"{_listed(header)}; name it with --prize, or give one table for all contests with --prizes, as 50,30,20"
            )
        for role, columns in places.items():
            if len(columns) > 1 and role not in ("bid", "prize") and (not wide or len(columns) != len(places["bid"])):
                raise AllpayError(
                    f"{file} has {len(places['bid'])} columns of bids and {len(columns)} for the {role}: give one for each, "
                    f"or one {role}"
                )
        taken = [k for columns in places.values() for k in columns]
        twice = next((k for k in taken if taken.count(k) > 1), None) if len(set(taken)) < len(taken) else None
        if twice is not None:
            raise AllpayError(
                f"{file}: the column {short(header[twice], 40)} is taken for two things: name another for one"
            )
        if wide and len(places.get("contest", (0,))) > 1:
            raise AllpayError(f"{file}: a contest has one number: name one column for it")
        by_rank = places.get("prize", ())
        announced = wide or len(by_rank) > 1 or any(usual[k][-1:].isdecimal() for k in by_rank)
        return cls(header, places, wide, announced)

    @property
    def numbers(self) -> list[int]:
        """The columns that are read, role by role."""
        return [k for columns in self.places.values() for k in columns]

    def name(self, role: str, which: int = 0) -> str:
        """What a column of a role is called; empty if there is none."""
        columns = self.places.get(role, ())
        return self.header[columns[min(which, len(columns) - 1)]] if columns else ""


def _listed(header: Sequence[str]) -> str:
    return shortened(", ".join(header) or "nothing", 80)


def _option(role: str) -> str:
    """How a column is named on the command line, and in Python."""
    return f"--{'value-column' if role == 'value' else role} NAME"


def _missing(role: str, plural: str, header: tuple[str, ...], file: str) -> None:
    *names, last = ROLES[role]
    remedy = (
        f"say which it is ({_option(role)})"
        if len(header) > 1
        else "separate cells by commas, semicolons, tabs or bars"
    )
    raise AllpayError(
        f"{file} has no column of {plural} ({', '.join(names)} or {last}): it has {_listed(header)}; {remedy}"
    )


def _named(name: str, role: str, header: tuple[str, ...], file: str) -> int:
    """The number of the column that the user named."""
    for found in (
        [k for k, other in enumerate(header) if other == name],
        [k for k, other in enumerate(header) if other.lower() == str(name).strip().lower()],
    ):
        if len(found) > 1:
            raise AllpayError(
                f"{file} has {len(found)} columns that are called {short(name, 40)}: give each its own name"
            )
        if found:
            return found[0]
    raise AllpayError(
        f"{file} has no column {short(name, 40)} for the {role}: it has {_listed(header)}{meant(name, header)}"
    )


def _usual(
    role: str, names: tuple[str, ...], usual: Sequence[str], header: tuple[str, ...], file: str
) -> tuple[int, ...]:
    """The columns that are usually called so: one, or several that are numbered."""
    single = [k for k, name in enumerate(usual) if _ENDS.sub("", name) in names or name in names]
    exact = [k for k in single if usual[k] == names[0]]
    numbered: dict[str, list[tuple[int, int]]] = {}
    for k, name in enumerate(usual):
        match = re.fullmatch(rf"({'|'.join(names)})_?(\d{{1,6}})", name)
        if match:
            numbered.setdefault(match[1], []).append((int(match[2]), k))
    series = [_in_order(found, header, file) for found in numbered.values() if len(found) > 1 or role == "prize"]
    if role == "prize" and len(series) == 1:
        return series[0]  # what was announced says more than what was won
    choices = [(k,) for k in exact or single] + series
    if len(choices) > 1:
        one, two = (short(header[columns[0]], 40) for columns in choices[:2])
        if one == two:
            raise AllpayError(f"{file} has two columns {one}: give each its own name")
        raise AllpayError(f"{file}: the {role} may be {one} or {two}: say which it is ({_option(role)})")
    return choices[0] if choices else ()


def _in_order(numbered: list[tuple[int, int]], header: tuple[str, ...], file: str) -> tuple[int, ...]:
    """Columns that are numbered from 1 on, by these numbers."""
    columns = [k for _, k in sorted(numbered)]
    for expected, (number, k) in enumerate(sorted(numbered), start=1):
        if number != expected:
            raise AllpayError(
                f"{file}: columns that belong together are numbered from 1 on, each once: got {short(header[k], 40)} in place "
                f"{expected}"
            )
    return tuple(columns)


# Rows -----------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class _Rows:
    """Gathers rows of bidders, part by part.

    Attributes:
        layout: of the table.
        place: for messages.
        numbers: reads them.
        rows: how many rows there were, empty ones apart.
        held: what each part had, by role, `[rows of bidders]`.
        announced: each table of prizes that was found, by a number made of it: its place in the order.
        tables: these, `[ranks]` each.
    """

    layout: _Layout
    place: Place
    numbers: Numbers
    rows: int = 0
    held: list[dict[str, NDArray[Any]]] = field(default_factory=list)
    announced: dict[int, int] = field(default_factory=dict)
    tables: list[Array] = field(default_factory=list)
    groups: dict[str, int] = field(default_factory=dict)

    def add(self, part: Part) -> None:
        """Take the rows of a part."""
        cells, lines = _filled(part.cells, part.lines)
        by_role: dict[str, list[tuple[str, pl.Series]]] = {}
        left = iter(cells)
        for role, columns in self.layout.places.items():
            by_role[role] = [(self.layout.header[k], next(left)) for k in columns]
        count, bids = len(lines), len(by_role["bid"])
        self.rows += count
        if self.rows * bids > MOST_ROWS:
            raise AllpayError(
                f"{self.place.file} has more than the {MOST_ROWS:,} bids that are read: give some of the contests"
            )

        def spread(arrays: list[NDArray[Any]]) -> NDArray[Any]:
            """`[rows of bidders]`, of columns that are one for each bid, or one for all."""
            return np.column_stack(arrays).ravel() if len(arrays) == bids else np.repeat(arrays[0], bids)

        held: dict[str, NDArray[Any]] = {"line": np.repeat(lines, bids)}
        if "contest" in by_role:
            name, series = by_role["contest"][0]
            held["contest"] = np.repeat(hashes(texts(series, lines, name, self.place)), bids)
        else:
            held["contest"] = np.repeat(np.arange(self.rows - count, self.rows, dtype=np.uint64), bids)
        for role, read in (("bid", self._amounts), ("rank", self._ranks), ("value", self._amounts)):
            if role in by_role:
                held[role] = spread([read(series, lines, name) for name, series in by_role[role]])
        if "bidder" in by_role:
            held["bidder"] = spread([self._bidders(series) for _, series in by_role["bidder"]])
        if "group" in by_role:
            held["group"] = spread([self._groups(series, lines, name) for name, series in by_role["group"]])
        if "prize" in by_role:
            won = [np.nan_to_num(self._amounts(series, lines, name)) for name, series in by_role["prize"]]
            if self.layout.announced:
                held["table"] = np.repeat(self._tables(np.column_stack(won), lines), bids)
            else:
                held["won"] = won[0]
        self.held.append(held)

    @property
    def _bid_names(self) -> set[str]:
        return {self.layout.header[k] for k in self.layout.places.get("bid", ())}

    def _amounts(self, series: "pl.Series", lines: Lines, name: str) -> Array:
        found = self.numbers.read(series, lines, name)
        with np.errstate(invalid="ignore"):
            for wrong, what in ((found < 0, "below 0"), (found > MOST, f"above {MOST:g}")):
                if wrong.any():
                    k = int(np.argmax(wrong))
                    remedy = (
                        "bids, prizes and values are at least 0; correct it"
                        if what == "below 0"
                        else "give other units"
                    )
                    if what == "below 0" and name in self._bid_names:
                        remedy = (
                            "a bid or score of 0 is no effort, and none is less: correct it, leave the cell empty if nothing "
                            "was handed in, or give points above the score of no effort"
                        )
                    self.place.fault(int(lines[k]), name, f"{exactly(float(found[k]))} is {what}: {remedy}")
        return found

    def _ranks(self, series: "pl.Series", lines: Lines, name: str) -> Whole:
        found = self.numbers.read(series, lines, name)
        with np.errstate(invalid="ignore"):
            wrong = (found != np.floor(found)) & ~np.isnan(found) | (found < 1) | (found > MOST_ROWS)
        if wrong.any():
            k = int(np.argmax(wrong))
            self.place.fault(
                int(lines[k]), name, f"a rank is a whole number from 1, the best, on: got {exactly(float(found[k]))}"
            )
        return np.nan_to_num(found).astype(np.int64)

    def _bidders(self, series: "pl.Series") -> NDArray[np.uint64]:
        """A number for each name, 0 where there is none."""
        import polars as pl

        known = series.cast(pl.String).str.strip_chars().fill_null("")
        return np.where((known == "").to_numpy(), np.uint64(0), hashes(known))

    def _groups(self, series: "pl.Series", lines: Lines, name: str) -> Whole:
        import polars as pl

        found = texts(series, lines, name, self.place)
        for one in found.unique(maintain_order=True).to_list():
            if len(self.groups) >= MOST_GROUPS and one not in self.groups:
                raise AllpayError(
                    f"{self.place.file}, column {shortened(name, 40)}: more than {MOST_GROUPS} groups of bidders; name another "
                    "column for the group, or none"
                )
            self.groups.setdefault(one, len(self.groups))
        return found.replace_strict(self.groups, return_dtype=pl.Int64).to_numpy()

    def _tables(self, prizes: Array, lines: Lines) -> Whole:
        """`[rows]` which table of prizes each row has; new ones are checked."""
        import polars as pl

        marks = np.asarray(pl.DataFrame(prizes).hash_rows(seed=0).to_numpy(), np.uint64)
        found, first, which = np.unique(marks, return_index=True, return_inverse=True)
        check_memory(
            8.0 * (len(self.tables) + len(found)) * prizes.shape[1], "so many tables of prizes", "give fewer contests"
        )
        for k in np.sort(first):
            if int(marks[k]) not in self.announced:
                self._check_table(prizes[k], int(lines[k]))
                self.announced[int(marks[k])] = len(self.tables)
                self.tables.append(prizes[k].copy())
        return np.array([self.announced[int(mark)] for mark in found])[which]

    def _check_table(self, prizes: Array, line: int) -> None:
        rises = np.flatnonzero(np.diff(prizes) > 0)
        if rises.size:
            k = int(rises[0]) + 1
            self.place.fault(
                line,
                self.layout.name("prize", k),
                f"rank {k + 1} wins {numeral(float(prizes[k]))}, more than the {numeral(float(prizes[k - 1]))} of the rank "
                "before: prizes do not rise",
            )
        if not prizes.any():
            self.place.fault(
                line, self.layout.name("prize"), "all prizes are 0: nobody has anything to win; correct it"
            )

    def joined(self) -> "_Joined":
        """All rows, those of a contest beside each other."""
        if self.rows == 0:
            raise AllpayError(
                f"{self.place.file} has no rows below the names of its columns: give a row for each bidder"
            )
        held = {name: np.concatenate([part[name] for part in self.held]) for name in self.held[0]}
        self.held.clear()
        _, first, which, counts = np.unique(
            held.pop("contest"), return_index=True, return_inverse=True, return_counts=True
        )
        order = np.argsort(first)
        number = np.empty(len(first), np.int64)
        number[order] = np.arange(len(first))
        contest = number[which]
        if np.any(np.diff(contest) < 0):
            by_contest = np.argsort(contest, kind="stable")
            contest = contest[by_contest]
            held = {name: array[by_contest] for name, array in held.items()}
        if self.layout.wide and "contest" in self.layout.places and counts.max() > len(self.layout.places["bid"]):
            line = held["line"]
            k = int(np.flatnonzero((np.diff(contest) == 0) & (np.diff(line) > 0))[0])
            self.place.fault(
                int(line[k + 1]),
                self.layout.name("contest"),
                f"the contest of {self.place.row} {line[k]} again: give it one row",
            )
        return _Joined(self, contest, held)


def _filled(cells: "list[pl.Series]", lines: Lines) -> "tuple[list[pl.Series], Lines]":
    """The rows in which anything stands."""
    import polars as pl

    nothing = np.ones(len(lines), bool)
    for series in cells:
        blank = series.fill_null("").str.strip_chars() == "" if series.dtype == pl.String else series.is_null()
        nothing &= blank.to_numpy()
        if not nothing.any():
            return cells, lines
    kept = pl.Series(~nothing)
    return [series.filter(kept) for series in cells], lines[~nothing]


def _places(contest: Whole, won: Array) -> Whole:
    """`[rows]` the place that a prize shows: from 1 on, where nobody else of the contest won as much; else 0."""
    order = np.lexsort((-won, contest))
    first = np.searchsorted(contest, np.arange(int(contest[-1]) + 1))
    place = np.arange(len(won)) - first[contest] + 1
    sorted_won, beside = won[order], np.diff(contest) == 0
    same = beside & (np.diff(sorted_won) == 0)
    alone = ~(np.append(same, False) | np.append(False, same)) & (sorted_won > 0)
    found = np.zeros(len(won), np.int64)
    found[order] = np.where(alone, place, 0)
    return found


@dataclass(eq=False)
class _Joined:
    """All rows of a table, sorted by contest, and what they must keep to.

    Attributes:
        rows: how they were read.
        contest: `[rows]` which contest.
        held: `[rows]` by role.
    """

    rows: _Rows
    contest: Whole
    held: dict[str, NDArray[Any]]
    alone: int = 0

    def contests(self, given: Array | None) -> Contests:
        """The contests, without those of one bidder.

        Args:
            given: `[ranks]` the prizes of all, if the table does not say them.
        """
        self._check_bidders()
        sizes = np.bincount(self.contest)
        self.alone = int(np.sum(sizes == 1))
        if self.alone == len(sizes):
            raise AllpayError(
                f"{self.rows.place.file} has one bidder in each contest: give a row for each bidder, and the same name of the "
                f"contest ({shortened(self.rows.layout.name('contest') or 'its row', 40)}) to all of one"
            )
        if self.alone:
            kept = sizes[self.contest] > 1
            self.held = {name: array[kept] for name, array in self.held.items()}
            _, self.contest = np.unique(self.contest[kept], return_inverse=True)
        held, groups = self.held, tuple(self.rows.groups)
        rank = held.get("rank")
        if rank is None and "won" in held:
            rank = _places(self.contest, held["won"])
        used = np.unique(held["group"]) if "group" in held else np.empty(0, np.int64)
        return Contests(
            contest=self.contest,
            bid=held["bid"],
            prizes=self._prizes(given),
            rank=rank,
            value=held.get("value"),
            group=np.searchsorted(used, held["group"]) if "group" in held else None,
            groups=tuple(groups[k] for k in used),
        )

    def _prizes(self, given: Array | None) -> Array:
        """`[contests, ranks]`."""
        count = int(self.contest[-1]) + 1
        sizes = np.bincount(self.contest)
        first = np.searchsorted(self.contest, np.arange(count))
        if given is not None:
            check_memory(8.0 * count * len(given), "the prizes of all contests", "give fewer contests")
            found = np.tile(given, (count, 1))
        elif self.rows.layout.announced:
            which = self.held["table"]
            wrong = np.flatnonzero(which != which[first][self.contest])
            if wrong.size:
                k, name = int(wrong[0]), "prize"
                self._fault(
                    k,
                    name,
                    f"other prizes than on {self._at(int(first[self.contest[k]]))} of the same contest: correct one",
                )
            found = np.array(self.rows.tables)[which[first]]
        else:
            won = self.held["won"]
            most = max(1, int(np.bincount(self.contest, won > 0).max()))
            check_memory(8.0 * count * most, "the prizes of all contests", "give fewer contests")
            order, place = np.lexsort((-won, self.contest)), np.arange(len(won)) - first[self.contest]
            found = np.zeros((count, most))
            found[self.contest[place < most], place[place < most]] = won[order][place < most]
        name = "prize"
        carrying = np.count_nonzero(found, axis=1)
        if not carrying.all():
            self._fault(
                int(first[int(np.argmin(carrying))]), name, "nobody of this contest wins anything: fill in the prizes"
            )
        over = np.flatnonzero(carrying > sizes)
        if over.size:
            k = int(over[0])
            self._fault(
                int(first[k]),
                name,
                f"{carrying[k]} prizes in a contest of {sizes[k]} bidders: give rows without a bid to those who handed in "
                "nothing, or fewer prizes",
            )
        alike = (carrying == sizes) & (found[:, 0] == found[np.arange(count), carrying - 1])
        if alike.all():
            self._fault(0, name, "all of a contest win the same, so that no bid pays: give what each won by its rank")
        return found[:, : int(carrying.max())]

    def check(self, found: Contests, cap: float | None, overbidding: bool, luck: bool) -> None:
        """Raise AllpayError if bids contradict ranks, prizes won, a cap, or a ban on bids above values."""
        held, there = self.held, found.there
        name = "bid"
        if cap is not None:
            over = there & (found.bid > cap * (1 + SLACK))
            self._limit(over, name, found.bid, f"above the cap of {exactly(cap)}", "give a higher cap")
        if not overbidding and found.value is not None:
            over = there & (found.bid > found.value * (1 + SLACK))
            self._limit(over, name, found.bid, "above the bidder's value, which is not allowed", "allow overbidding")
        won, rank = held.get("won"), held.get("rank")
        if rank is not None:
            self._check_ranks(found, rank)
            sorted_by = np.where((rank > 0) & there, rank, UNTOLD)
            if not luck:
                self._check_order(found, sorted_by, "rank", same=True)
            if won is not None:
                order = np.lexsort((-won, sorted_by, self.contest))
                both = (np.diff(self.contest[order]) == 0) & (sorted_by[order][1:] < UNTOLD)
                rises = np.flatnonzero(both & (np.diff(won[order]) > 0) & (np.diff(sorted_by[order]) > 0))
                if rises.size:
                    one, two = order[rises[0]], order[rises[0] + 1]
                    self._fault(
                        int(two),
                        "prize",
                        f"rank {rank[two]} won {numeral(float(won[two]))}, more than the {numeral(float(won[one]))} of rank "
                        f"{rank[one]} ({self._at(int(one))}): prizes do not rise",
                    )
        if won is not None:
            absent = np.flatnonzero(~there & (won > 0))
            if absent.size:
                self._fault(int(absent[0]), name, "a prize was won without a bid: fill it in, or take the prize away")
            if rank is None and not luck:
                self._check_order(found, np.unique(-won, return_inverse=True)[1], "prize", same=False)

    def _check_ranks(self, found: Contests, rank: Whole) -> None:
        name = "rank"
        over = np.flatnonzero(rank > found.registered[found.contest])
        if over.size:
            k = int(over[0])
            size = found.registered[found.contest[k]]
            self._fault(k, name, f"rank {rank[k]} in a contest of {size} bidders: give a row for each bidder")
        absent = np.flatnonzero(~found.there & (rank > 0) & (rank <= found.present[found.contest]))
        if absent.size:
            k = int(absent[0])
            self._fault(k, name, f"rank {rank[k]} without a bid: fill in the bid, or leave the rank empty")
        if not found.there.all():  # those who handed in nothing come last, whatever is written
            found.rank[~found.there] = 0  # type: ignore[index]

    def _check_order(self, found: Contests, key: Whole, name: str, same: bool) -> None:
        """Raise AllpayError if a lower bid comes before a higher one of its contest.

        Args:
            found: the contests.
            key: `[rows]` by which bids are sorted, the best first.
            name: what says so.
            same: whether those with the same key must have the same bid.
        """
        bid = np.where(found.there, found.bid, -1.0)
        order = np.lexsort((-bid, key, found.contest))
        bid, key, contest = bid[order], key[order], found.contest[order]
        equal = (np.diff(key) == 0) & (key[1:] < UNTOLD) & same
        beside = np.diff(contest) == 0
        # within a key bids fall, so that the last one of a key is its lowest
        wrong = np.flatnonzero(beside & np.where(equal, np.diff(bid) != 0, (np.diff(key) > 0) & (np.diff(bid) > 0)))
        if wrong.size:
            k = int(wrong[0])
            one, two = int(order[k]), int(order[k + 1])
            if bid[k] > bid[k + 1]:
                one, two = two, one
            text = "the same rank as" if equal[k] else "behind"
            self._fault(
                two,
                name,
                f"the bid {numeral(float(found.bid[two]))} is {text} the bid {numeral(float(found.bid[one]))} of "
                f"{self._at(one)}: the highest bid comes first; correct it, or let luck have a part (--luck)",
            )

    def _limit(self, over: NDArray[np.bool_], name: str, bid: Array, what: str, remedy: str) -> None:
        if over.any():
            k, count = int(np.argmax(over)), int(over.sum())
            more = f" (and {count - 1:,} more)" if count > 1 else ""
            self._fault(k, name, f"the bid {numeral(float(bid[k]))}{more} is {what}: correct it, or {remedy}")

    def _check_bidders(self) -> None:
        """Raise AllpayError if a contest has the same bidder twice."""
        if "bidder" not in self.held:
            return
        who = self.held["bidder"]
        order = np.lexsort((who, self.contest))
        twice = np.flatnonzero((np.diff(self.contest[order]) == 0) & (np.diff(who[order]) == 0) & (who[order][1:] > 0))
        if twice.size:
            one, two = np.sort(order[twice[0] : twice[0] + 2])
            name = "bidder"
            self._fault(
                int(two), name, f"the same bidder as on {self._at(int(one))} of this contest: leave one of them out"
            )

    def _at(self, row: int) -> str:
        return f"{self.rows.place.row} {self.held['line'][row]}"

    def _fault(self, row: int, role: str, what: str) -> None:
        """Raise AllpayError: what is wrong with a bidder, in the column of a role."""
        layout = self.rows.layout
        alike = len(layout.places.get(role, ())) == len(layout.places["bid"])
        which = row - int(np.searchsorted(self.contest, self.contest[row])) if role != "prize" and alike else 0
        self.rows.place.fault(int(self.held["line"][row]), layout.name(role, which), what)

    def told(self, found: Contests, separator: str, decimal: str, cap: float | None) -> Read:
        """What was understood."""
        layout, there = self.rows.layout, found.there
        order = np.lexsort((found.bid, found.contest))
        bid, contest = found.bid[order], found.contest[order]
        alike = (np.diff(contest) == 0) & (np.diff(bid) == 0) & (bid[1:] > 0)
        tied = np.append(alike, False) | np.append(False, alike)
        taken = set(layout.numbers)
        carrying = np.count_nonzero(found.prizes, axis=1)
        return Read(
            file=self.rows.place.file,
            rows=self.rows.rows,
            contests=found.contests,
            bidders=len(found.bid),
            people=int(np.count_nonzero(np.unique(self.held["bidder"]))) if "bidder" in self.held else None,
            fewest=int(found.registered.min()),
            most=int(found.registered.max()),
            tables=len(found.tables),
            absent=int(np.sum(~there)),
            unranked=None if "rank" not in self.held else int(np.sum((self.held["rank"] == 0) & there)),
            ties=int(tied.sum()),
            zeros=int(np.sum(found.bid == 0)),
            step=found.step if found.step > TOLD * np.mean(found.bid[there]) else 0.0,
            at_cap=None if cap is None else int(np.sum(np.abs(found.bid - cap) <= SLACK * cap)),
            all_won=int(np.sum((found.present < found.registered) & (carrying >= found.present) & (found.present > 0)))
            if "won" in self.held
            else 0,
            alone=self.alone,
            wide=layout.wide,
            columns=tuple((role, tuple(layout.header[k] for k in where)) for role, where in layout.places.items()),
            unused=tuple(name for k, name in enumerate(layout.header) if name and k not in taken),
            separator=separator,
            decimal=decimal,
        )

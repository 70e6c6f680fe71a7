"""The pages of all folders but those of studies: a table judged, a sweep, a comparison in scenarios, the best design or a front
by theory, an estimate, models fitted to bids, and one design simulated."""

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from pydantic import Field

from allpay.errors import AllpayError, printable
from allpay.estimate.values import EstimatedValues
from allpay.objectives import objective
from allpay.report import charts
from allpay.report.look import TABLES
from allpay.report.pages.common import (
    COMMAND,
    FEWEST_ZEROS,
    Kept,
    Page,
    json_in,
    parsed,
    share,
    split_in_words,
    text_in,
    told,
    versus,
)
from allpay.report.words import PARAMETERS, significant

MOST_RANKS = 30
"""Of so many prizes, at most, a row each is shown."""

MOST_KINDS = 4
"""The bids of so many kinds of contests are drawn, those with most bids."""

LEAST_DRAWN = 0.005
"""A rank whose weight can be no larger than this is not drawn, as the summary does not name it."""

MOST_CELLS = 400
"""A map of more designs and scenarios than this would not be read."""

NOTHING = 5e-4
"""A smaller part of what the best design brings is told as no loss."""

UNSEEN = 1e-4
"""Tables whose prizes differ by less of the purse are told as one."""

TITLES = {"yours": "Your table", "best": "Best table", "winner-take-all": "Winner takes all", "equal": "Equal prizes"}

GOALS = {"revenue": "total effort", "highest-bid": "best entry", "entrants": "entrants"}
"""What objectives are called by those who run contests."""


def called(text: str) -> str:
    """What an objective is called by those who run contests."""
    if text.startswith("top-") and text[4:].isdecimal():
        return f"mean of the {text[4:]} best entries"
    return GOALS.get(text) or printable(text)


class _Quantity(Kept):
    mean: float
    half_width: float
    told: str = ""


class _Kind(Kept):
    name: str
    bidders: float
    effort: float
    cost: float
    share: float
    wins: float


class _Split(Kept):
    name: str
    shares: list[float] = Field(max_length=100_000)
    prizes: list[float]
    quantities: dict[str, _Quantity]
    kinds: list[_Kind]
    cost: float | None
    reason: str | None


class _Prizes(Kept):
    unit: str
    total: float
    sentence: str


class _Cells(Kept):
    caption: str
    rows: list[list[str]] = Field(min_length=1, max_length=10_000)


class _Judged(Kept):
    prizes: _Prizes
    bidders: int
    objective: str
    method: str
    reason: str | None
    splits: list[_Split] = Field(min_length=1, max_length=20)
    learner: str | None
    rounds: int
    seed: int
    sentences: list[str] = Field(min_length=1)
    tables: list[_Cells] = Field(default=[], max_length=20)
    seconds: float


def judged(folder: Path) -> Page | None:
    """The page of a prize table that was judged."""
    path = folder / "judge.json"
    if not path.is_file():
        return None
    values = json_in(path)
    found = parsed(_Judged, values, path)
    unit = called(found.objective)
    yours = found.splits[0].quantities.get(found.objective)
    groups = _told_once(found.splits)
    money = found.prizes.total if found.prizes.unit == "money" else None
    names = {first: " = ".join(TITLES.get(each.name, each.name) for each in group) for first, group in groups.items()}
    bars: list[dict[str, Any]] = []
    for name, (split, *_) in groups.items():
        quantity = split.quantities.get(found.objective)
        if quantity is None:
            continue
        less = None if yours is None or name == "yours" else versus(quantity.mean, yours.mean)
        half = quantity.half_width
        bars.append(
            {
                "name": f"{names[name]}: {_prizes_of(split, money)}",
                "value": quantity.mean,
                "low": quantity.mean - half if half else None,
                "high": quantity.mean + half if half else None,
                "told": (quantity.told or told(quantity.mean)) + ("" if less is None else f"  ({less:+.1%})"),
                "best": name == "best",
                "end": quantity.mean + half,
                "less": less,
                "colour": _colour(name),
            }
        )
    longest = max(len(split.shares) for split in found.splits)
    shown: list[dict[str, Any]] = [
        {"x": k + 1, "y": group[0].shares[k] if k < len(group[0].shares) else 0.0, "kind": names[first]}
        for first, group in groups.items()
        for k in range(min(longest, MOST_RANKS))
    ]
    return Page(
        "judge.html.j2",
        "Is this prize table good?",
        {
            **_again(folder, values, found.seed),
            "found": found,
            "unit": unit,
            "bars": bars,
            "shown": min(longest, MOST_RANKS),
            "longest": longest,
            "charts": {
                "bars": charts.bars(bars, unit, colours={bar["name"]: bar["colour"] for bar in bars}),
                "prizes": charts.grouped(
                    shown, ("rank", "part of the purse"), {names[first]: _colour(first) for first in groups}
                ),
            },
        },
    )


def _told_once(splits: Sequence[_Split]) -> dict[str, list[_Split]]:
    """The tables that differ, by name, each with those that are the same table."""
    groups: dict[str, list[_Split]] = {}
    for split in splits:
        first = next((name for name, group in groups.items() if _same_table(group[0], split)), split.name)
        groups.setdefault(first, []).append(split)
    return groups


def _same_table(one: _Split, other: _Split) -> bool:
    pairs = zip_longest(one.shares, other.shares, fillvalue=0.0)
    return bool(one.quantities) and bool(other.quantities) and all(abs(a - b) < UNSEEN for a, b in pairs)


def _colour(table: str) -> int:
    """The number of a table's colour, as in figures."""
    return TABLES.index(table) if table in TABLES else len(TABLES)


def _prizes_of(split: _Split, money: float | None) -> str:
    return split_in_words(split.shares, money) if len(split.shares) <= 4 else f"{len(split.shares)} prizes"


class _Swept(Kept):
    over: dict[str, list[float]] = Field(min_length=1, max_length=2)
    objective: str
    rows: list[dict[str, float | bool | None]] = Field(min_length=1, max_length=100_000)
    reasons: list[str | None]
    notes: list[str] = Field(default=[], max_length=100)
    assumed: str = ""
    seconds: float


def swept(folder: Path) -> Page | None:
    """The page of the best designs along one or two parameters."""
    path = folder / "sweep.json"
    if not path.is_file():
        return None
    values = json_in(path)
    found = parsed(_Swept, values, path)
    first, *second = found.over
    whole = {name: all(float(x).is_integer() for x in numbers) for name, numbers in found.over.items()}
    unit, label = objective(found.objective).words, _along(first)
    rows = [row for row in found.rows if row.get("value") is not None]
    if any(first not in row for row in rows):
        raise AllpayError(f"{path} is damaged: make the folder again")
    by = second[0] if second else ""
    named = {row.get(by): f"{_along(by)} {significant(float(row.get(by) or 0), 3)}" for row in rows} if by else {}
    kinds = list(named.values()) if by else [unit]
    curves = [{"x": row[first], "y": row["value"], "kind": named[row.get(by)] if by else unit} for row in rows]
    weights = (
        sorted((name for name in rows[0] if name[0] == "w" and name[1:].isdigit()), key=lambda n: int(n[1:]))
        if rows
        else []
    )
    parts = [
        {"x": row[first], "part": row[w], "kind": int(w[1:])}
        for row in rows
        for w in weights
        if not by and (row[w] or 0) > FEWEST_ZEROS
    ]
    firsts = [
        {"x": row[first], "y": row["w1"], "kind": named[row.get(by)]}
        for row in rows
        if by and row.get("w1") is not None
    ]
    listed = [
        {
            "at": [told(float(row[name] or 0), 4).rstrip("0").rstrip(".") for name in found.over],
            "value": None if row.get("value") is None else float(row["value"] or 0),
            "prizes": None if row.get("prizes") is None else int(row["prizes"] or 0),
            "flat": row.get("flat"),
            "split": split_in_words([float(row[w] or 0) for w in weights]) if row.get("w1") is not None else "",
            "reason": reason,
        }
        for row, reason in zip(found.rows, [*found.reasons, *[None] * len(found.rows)], strict=False)
    ]
    drawn: dict[str, Any] = {
        "value": charts.lines(curves, (label, f"{unit} of the best design"), kinds, zero=True, whole=whole[first])
        if curves
        else None,
        "parts": charts.stacks(parts, (label, "part of the purse"), "") if parts else None,
        "first": charts.lines(firsts, (label, "first prize, part of the purse"), kinds, zero=True, whole=whole[first])
        if firsts
        else None,
    }
    return Page(
        "sweep.html.j2",
        f"How the best design depends on the {' and the '.join(map(_along, found.over))}",
        {
            **_again(folder, values),
            "found": found,
            "unit": unit,
            "over": [_along(name) for name in found.over],
            "rows": listed,
            "charts": drawn,
        },
    )


def _along(parameter: str) -> str:
    """What a parameter is called in a sentence, after `the`."""
    return PARAMETERS.get(parameter, parameter.replace("_", " "))


class _Scenario(Kept):
    name: str
    weight: float
    bidders: int
    best: float


class _InWords(Kept):
    design: str
    what: str
    losses: list[str]
    largest_loss: str
    mean_loss: str


class _Design(Kept):
    name: str
    number: int = 0
    told: _InWords | None = None
    weights: list[float] = Field(max_length=100_000)
    values: list[float]
    losses: list[float]
    errors: list[float | None]
    largest_loss: float
    mean_loss: float


class _Compared(Kept):
    method: str
    objective: str
    scenarios: list[_Scenario] = Field(min_length=1)
    designs: list[_Design] = Field(min_length=1)
    safest: int = Field(ge=1)
    answer: str = ""
    best_there: str = "the best there"
    seconds: float = 0.0


def compared(folder: Path) -> Page | None:
    """The page of designs in several scenarios."""
    path = folder / "theory.json"
    values = json_in(path) if path.is_file() else None
    if not isinstance(values, dict) or "scenarios" not in values:
        path = folder / "result.json"
        kept = json_in(path) if path.is_file() else None
        if not isinstance(kept, dict) or "comparison" not in kept:
            return None
        values = kept["comparison"]
        if isinstance(values, dict):
            values = {"versions": kept.get("versions", {}), **values}
    found = parsed(_Compared, values, path)
    if found.safest > len(found.designs) or any(len(d.losses) != len(found.scenarios) for d in found.designs):
        raise AllpayError(f"{path} is damaged: make the folder again")
    names = [scenario.name for scenario in found.scenarios]
    rows = _rows(found)
    safest = next((row for row in rows if row["number"] == _number(found, found.safest - 1)), rows[0])
    cells = [
        {
            "row": row["label"],
            "column": scenario,
            "loss": loss if loss > NOTHING else 0.0,
            "told": text,
        }
        for row in rows
        for scenario, loss, text in zip(names, row["design"].losses, row["told"].losses, strict=True)
    ]
    bars = [
        {
            "name": row["label"],
            "value": row["design"].largest_loss if row["design"].largest_loss > NOTHING else 0.0,
            "told": row["told"].largest_loss if row["design"].largest_loss > NOTHING else "next to nothing",
            "best": row is safest,
        }
        for row in rows
    ]
    unit = objective(found.objective).words
    return Page(
        "compare.html.j2",
        "Which design is safe if one does not know the world?",
        {
            **_again(folder, values),
            "found": found,
            "unit": unit,
            "safest": safest,
            "rows": rows,
            "error": max((e for design in found.designs for e in design.errors if e), default=None),
            "charts": {
                "bars": charts.bars(bars, f"{unit} lost in the worst scenario, as a part of {found.best_there}", "~%"),
                "heat": charts.heat(cells, "scenario", "loss", names) if len(cells) <= MOST_CELLS else None,
            },
        },
    )


def _number(found: _Compared, design: int) -> int:
    """What a design is numbered as; in folders of older versions, where it stands."""
    return found.designs[design].number or design + 1


def _older(loss: float | None, error: float | None = None) -> str:
    """A loss as a cell, for folders of older versions, which have no cells."""
    told = share(loss) if loss is not None and loss > NOTHING else "0%" if error else "–"
    return f"{told} ± {share(error)}" if error else told


def _rows(found: _Compared) -> list[dict[str, Any]]:
    """The designs that differ, each told once, as the summary tells them."""
    rows: dict[int, dict[str, Any]] = {}
    for d, design in enumerate(found.designs):
        told = design.told or _InWords(
            design=split_in_words(design.weights),
            what=design.name,
            losses=[_older(*pair) for pair in zip_longest(design.losses, design.errors)],
            largest_loss=_older(design.largest_loss),
            mean_loss=_older(design.mean_loss),
        )
        if len(told.losses) != len(design.losses):
            raise AllpayError("a comparison that the folder holds is damaged: make the folder again")
        number = _number(found, d)
        label = f"{number}  {_clipped(told.what)}"
        rows.setdefault(number, {"number": number, "label": label, "design": design, "told": told})
    return list(rows.values())


def _clipped(name: str) -> str:
    words = printable(name)
    return words if len(words) <= 44 else f"{words[:42]}…"


class _Best(Kept):
    weights: list[float] = Field(max_length=100_000)
    value: float


class _Within(Kept):
    loss: float
    low: list[float]
    high: list[float]


class _Told(Kept):
    best: str
    money: str | None
    value: str
    near: str
    table: _Cells


class _Theory(Kept):
    told: _Told | None = None
    assumed: list[str] = Field(default=[], max_length=1000)
    rule: str
    objective: str
    best: _Best | None
    flat: bool | None
    within: _Within | None
    seconds: float = 0.0


def theory(folder: Path) -> Page | None:
    """The page of the best design by theory."""
    path = folder / "theory.json"
    if not path.is_file():
        return None
    values = json_in(path)
    found = parsed(_Theory, values, path)
    rows, drawn = [], None
    if found.best is not None and found.within is not None:
        ends = zip(found.best.weights, found.within.low, found.within.high, strict=False)
        rows = [
            {"rank": k + 1, "best": w, "low": low, "high": high}
            for k, (w, low, high) in enumerate(ends)
            if high >= LEAST_DRAWN
        ][:MOST_RANKS]
        bars = [
            {
                "name": f"rank {row['rank']}",
                "value": row["best"],
                "low": row["low"],
                "high": row["high"],
                "told": f"{row['best']:.1%}",
                "best": True,
                "end": row["high"],
            }
            for row in rows
        ]
        drawn = charts.bars(bars, "part of the purse" if found.rule == "prizes" else "weight", "%")
    return Page(
        "theory.html.j2",
        "The best design by theory",
        {
            **_again(folder, values),
            "found": found,
            "unit": objective(found.objective).words,
            "most": objective(found.objective).goal,
            "split": "" if found.best is None else split_in_words(found.best.weights),
            "rows": rows,
            "charts": {"bars": drawn},
        },
    )


def front(folder: Path) -> Page | None:
    """The page of a Pareto front."""
    path = folder / "front.json"
    if not path.is_file():
        return None
    values = json_in(path)
    found = parsed(_Front, values, path)
    names = [printable(name) for name in found.objectives]
    rows = []
    for design in found.front:
        if not design.efficient:
            continue
        measured = [design.values.get(name) for name in found.objectives]
        numbers = [x.mean for x in measured if x is not None]
        rows.append(
            {"design": split_in_words(design.weights), "values": [told(x) for x in numbers], "numbers": numbers}
        )
    points: list[dict[str, Any]] = [
        {"x": row["numbers"][0], "y": row["numbers"][1], "kind": "front", "design": row["design"]}
        for row in rows
        if len(row["numbers"]) > 1
    ]
    points.sort(key=lambda row: float(row["x"]))
    drawn = charts.lines(points, (names[0], names[1]), ["front"]) if len(names) > 1 and points else None
    return Page(
        "front.html.j2",
        f"What can be had together: {' and '.join(names)}",
        {
            **_again(folder, values),
            "names": names,
            "rows": rows,
            "charts": {"front": drawn},
            "summary": text_in(folder / "front.txt"),
        },
    )


class _Mean(Kept):
    mean: float


class _OfFront(Kept):
    weights: list[float] = Field(max_length=100_000)
    efficient: bool = True
    values: dict[str, _Mean]


class _Front(Kept):
    objectives: list[str] = Field(min_length=1, max_length=20)
    front: list[_OfFront] = Field(max_length=100_000)


def estimated(folder: Path) -> Page | None:
    """The page of an estimate of values from past contests."""
    from allpay.estimate import kept
    from allpay.estimate.families import constant
    from allpay.report.estimated import (
        answers_in_words,
        cautions,
        doubts,
        few,
        identification,
        luck_in_words,
        most_bid,
        off_in_words,
        over_in_words,
        range_in_words,
    )

    if not (folder / kept.FILE).is_file():
        return None
    whole = kept.load(folder)
    parts = (whole,) if isinstance(whole, EstimatedValues) else whole.parts
    who = ["all bidders"] if len(parts) == 1 else [f"group {g + 1}" for g in range(len(parts))]
    values = [
        {"x": q, "y": v, "low": low, "high": high, "kind": name}
        for name, part in zip(who, parts, strict=True)
        if constant(part.distribution) is None  # one value for all is no curve
        for q, v, low, high in zip(part.levels, part.values.tolist(), part.low, part.high, strict=True)
    ]
    found = parts[0]
    foretold = len(parts) == 1 and all(kind.predicted for kind in found.kinds)  # with luck each value explains its bid
    shown = found.kinds[:MOST_KINDS] if foretold else ()
    kinds = [
        f"{k + 1}: {kind.kind.bidders} bidders, prizes {split_in_words(kind.kind.prizes)}"
        for k, kind in enumerate(shown)
    ]
    lines = [
        {"x": q, "y": b, "kind": name}
        for name, kind in zip(kinds, shown, strict=True)
        for q, b in zip(found.levels, kind.predicted, strict=True)
    ]
    seen = [
        {"x": q, "y": b, "kind": name}
        for name, kind in zip(kinds, shown, strict=True)
        for q, b in zip(found.levels, kind.observed, strict=True)
    ]
    half = list(found.levels).index(0.5)
    luck = None if isinstance(whole, EstimatedValues) else whole.luck
    halves = [
        {
            "who": name,
            "value": float(part.values[half]),
            "bid": most_bid(part, half),
            "low": part.low[half],
            "high": part.high[half],
            "alike": constant(part.distribution) is not None,
        }
        for name, part in zip(who, parts, strict=True)
    ]
    labels = ("share of bidders with a lower value", "value of the whole purse")
    return Page(
        "estimate.html.j2",
        "What past contests say of how much bidders want to win",
        {
            **_again(folder, json_in(folder / kept.FILE), found.seed),
            "found": found,
            "parts": list(zip(who, parts, strict=True)),
            "halves": halves,
            "alike": isinstance(whole, EstimatedValues),
            "cautions": cautions(whole),
            "doubts": [*doubts(whole), *few(whole)],
            "ranged": range_in_words(whole.open),
            "over": over_in_words(whole.open),
            "bids": sum(part.bids for part in parts),
            "luck": "" if luck is None else luck_in_words(luck, found.confidence),
            "answers": list(dict.fromkeys(map(answers_in_words, parts))),
            "off": [(name, off_in_words(p)) for name, p in zip(who, parts, strict=True) if p.misfit is not None],
            "known": identification(whole),
            "bidders": found.kinds[0].kind.bidders if len(parts) == 1 and found.kinds else None,
            "charts": {
                "values": charts.lines(values, labels, who, band=bool(found.draws), zero=True) if values else None,
                "bids": charts.lines(lines, ("share of bids below", "bid"), kinds, zero=True, marks=seen)
                if shown
                else None,
            },
        },
    )


class _Measured(Kept):
    mean: float
    stderr: float | None
    rounds: list[float]


class _FittedModel(Kept):
    model: str
    held_out: float | None


class _FittedWords(Kept):
    theory: list[str] = Field(min_length=1, max_length=100)
    best: str
    notes: list[str] = Field(max_length=10)
    table: _Cells | None


class _Fitted(Kept):
    models: list[_FittedModel] = Field(max_length=100)
    exact: bool
    bids: int
    told: _FittedWords


def fitted(folder: Path) -> Page | None:
    """The page of models of behaviour that were fitted to bids."""
    path = folder / "fit.json"
    if not path.is_file():
        return None
    values = json_in(path)
    found = parsed(_Fitted, values, path)
    held = [(each.model, each.held_out) for each in found.models if each.held_out is not None]
    best = max((x for _, x in held), default=0.0)
    bars = [
        {
            "name": name,
            "value": (part := max(best - x, 0.0) / found.bids),
            "told": f"{part:.4f}",
            "best": k == 0,
            "end": part,
        }
        for k, (name, x) in enumerate(held)
    ]
    worth = len(bars) > 1 and not found.exact
    return Page(
        "fit.html.j2",
        "How people bid",
        {
            **_again(folder, values),
            "found": found,
            "charts": {"bars": charts.bars(bars, "log likelihood per bid below the best") if worth else None},
        },
    )


class _Simulated(Kept):
    weights: list[float] = Field(max_length=100_000)
    rule: str
    learner: str
    revenue: _Measured
    highest_bid: _Measured
    exploitability_history: list[list[float | None]]
    verdicts: list[str]
    sentence: str
    equilibrium: dict[str, float] | None
    note: str | None
    seed: int
    seconds: float


def simulated(folder: Path) -> Page | None:
    """The page of one design that bidders learned under."""
    path = folder / "result.json"
    if not path.is_file():
        return None
    kept = json_in(path)
    results = kept.get("results") if isinstance(kept, dict) else None
    if not isinstance(results, list) or len(results) != 1 or "verdicts" not in results[0]:
        return None
    found = parsed(_Simulated, results[0], path)
    bars = [
        {
            "name": name,
            "value": each.mean,
            "low": None if each.stderr is None else each.mean - each.stderr,
            "high": None if each.stderr is None else each.mean + each.stderr,
            "theory": (found.equilibrium or {}).get(text),
            "told": told(each.mean),
            "best": text == "revenue",
            "end": each.mean + (each.stderr or 0),
        }
        for text, name, each in (
            ("revenue", "Revenue", found.revenue),
            ("highest_bid", "Highest bid", found.highest_bid),
        )
    ]
    history = [[x for x in line if x is not None] for line in found.exploitability_history]
    return Page(
        "simulate.html.j2",
        "What bidders do under one design",
        {
            **_again(folder, kept, found.seed),
            "found": found,
            "split": split_in_words(found.weights),
            "specification": results[0].get("specification", {}),
            "charts": {
                "bars": charts.bars(bars, "in units of bids"),
                "bids": _learned(folder),
                "history": charts.history(history, "exploitability")
                if any(x > 0 for line in history for x in line)
                else None,
            },
        },
    )


def _learned(folder: Path) -> charts.Chart | None:
    """What was bid by value, of a design that was simulated; None if that was not kept, or there is one value."""
    import polars as pl

    from allpay.study.store import SPECIFICATION, Store, read_folder

    if not (folder / SPECIFICATION).exists():
        return None
    store = Store(folder, read_folder(folder))
    if store.read_batch(0) is None:
        return None
    table = store.read_bids(0)
    if table is None or table.is_empty():
        return None
    mean = table.group_by("group", "value", maintain_order=True).agg(
        pl.col("mean", "q10", "q90").mean().cast(pl.Float64)
    )
    if mean.height == mean["group"].n_unique():
        return None
    rows = [
        {"x": row["value"], "y": row["mean"], "low": row["q10"], "high": row["q90"], "kind": f"group {row['group']}"}
        for row in mean.sort("group", "value").iter_rows(named=True)
    ]
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    return charts.lines(rows, ("value", "bid"), kinds, band=True, zero=True)


PAGES: Sequence[Callable[[Path], Page | None]] = (judged, swept, compared, theory, front, estimated, fitted, simulated)


def _again(folder: Path, values: Any, seed: int | None = None) -> dict[str, Any]:
    """What every page says at its end: the summary, the command, the versions, the whole question."""
    held: Mapping[str, Any] = values if isinstance(values, dict) else {}
    versions = held.get("versions")
    question = held.get("question") or held.get("setting") or held.get("study") or {}
    return {
        "summary": text_in(folder / "summary.txt"),
        "command": text_in(folder / COMMAND).strip(),
        "versions": versions if isinstance(versions, dict) else {},
        "specification": question,
        "seed": seed,
    }

"""The page of a study: the best design beside equal weights and one weight, the curve or map of designs, bids, learning, the
network, and all designs. Nothing is learned or fitted; theory was asked when the study was evaluated."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field

from allpay.contest.game import Array
from allpay.errors import AllpayError, printable
from allpay.objectives import BIDS, Objective, objective
from allpay.references import lies_in
from allpay.report import beside, charts
from allpay.report.beside import Told
from allpay.report.pages.common import FEWEST_ZEROS, Kept, Page, json_in, parsed, split_in_words, text_in, told, versus
from allpay.report.summary import contest_in_words, who_in_words
from allpay.simplex import looked_at, shown
from allpay.study.file import kept_part
from allpay.study.received import Outline, outlines_of
from allpay.study.space import DesignSpace
from allpay.study.store import RESULT, SPECIFICATION, SURROGATE, check_below, read_folder
from allpay.study.sweep import found_in, read
from allpay.surrogate import Surrogate

SIDE = 10.5
"""The side of a small triangle of the map, in pixels; so many of them along an edge of the large one."""
EDGE = 40

MOVED = 0.01
"""The part of the purse that is moved from one rank to another, to see what is lost."""

MOST_RANKS = 8
"""Of so many ranks, at most, it is shown what moving a part of the purse loses, and what their weights do."""

DRAWN = 2000
"""At so many designs the network is asked, to see what each weight does."""

BINS = 14
"""Into so many bins of a weight these designs fall."""

MOST_ROWS = 600
"""Of so many designs, at most, the table has a row each."""

ALIKE = 5e-4
"""A difference of less than this part is told as none."""

LEAST = 1e-4
"""What brings less than this part of another design is told to bring 0."""

FEW = 0.05
"""If more runs than this part did not converge, that is a caveat."""

TELLING = 0.5
"""A network that explains less than this of what it has not seen is a caveat."""

NAMES = {
    "prizes": {"alone": "Winner takes all", "alike": "Equal prizes"},
    "payments": {"alone": "Only the winner pays", "alike": "All ranks pay alike"},
}
"""What the designs beside the best are called."""


KINDS = ("mean of all such designs", "best of them")
"""What is drawn of the designs that share a number."""

CHARTS = ("curve", "triangle", "moves", "ways", "dependence", "fit", "bids", "history")
"""What may be drawn of a study."""


class _Value(Kept):
    value: float
    low: float
    high: float


class _Best(_Value):
    weights: list[float] = Field(max_length=100_000)
    chosen: dict[str, float] = Field(default_factory=dict)


class _Checked(Kept):
    mean: float
    stderr: float | None
    rounds: list[float]


class _Fit(Kept):
    r2: float
    rmse: float


class _Exact(Kept):
    weights: list[float]
    value: float
    flat: bool = False


class _Optimum(Kept):
    interval: list[tuple[float, float]]
    fraction: float


class _Loss(Kept):
    mean: float
    stderr: float | None


class _Announced(Kept):
    weights: list[float]
    mean: float
    loss: _Loss


class Result(Kept):
    """What `result.json` holds of one study."""

    rule: str
    learner: str
    objective: str
    best: _Best
    predicted: _Value
    intervals: list[Any]
    chosen: dict[str, tuple[float, float]] = Field(default_factory=dict)
    announced: _Announced | None = None
    flat: bool
    unknown: str
    sentence: str
    confidence: float
    resolution: float
    grid: float
    learning: float
    checked: _Checked
    surrogate: _Fit
    equilibrium: float | None
    equilibrium_best: _Exact | None
    theory_missing: str | None
    verdicts: dict[str, int]
    strategy: str
    designs: int
    stopped: str
    rounds: int
    seed: int
    seconds: float
    optimum: _Optimum


def page(folder: Path) -> Page | None:
    """The page of a folder of studies; None if it holds none of several designs.

    Raises:
        AllpayError: if it is not finished, or damaged.
    """
    if not (folder / SPECIFICATION).exists():
        return None
    held = read_folder(folder)
    specification = held.specification
    if specification.keys() & {"scenarios", "experiments"}:
        return None
    outlines = outlines_of(specification)
    if len(outlines) == 1 and next(iter(outlines.values())).samples == 1:
        return None
    found = json_in(finished(folder))
    results = found.get("results") if isinstance(found, dict) else None
    if not isinstance(results, list) or len(results) != len(outlines):
        raise AllpayError(f"{folder / RESULT} is damaged: delete it, then allpay resume makes it again")
    references = beside.load(folder)
    studies = []
    for k, ((name, outline), values) in enumerate(zip(outlines.items(), results, strict=True)):
        check_below(folder, name)
        result = parsed(Result, values, folder / RESULT)
        near = references[k] if k < len(references) else []
        studies.append(_study(folder, name, outline, result, near))
    first = studies[0]
    values = {
        "studies": studies,
        "study": first,
        "summary": text_in(folder / "summary.txt"),
        "specification": specification,
        "kept": (folder / SPECIFICATION).read_text(encoding="utf-8") if (folder / SPECIFICATION).is_file() else "",
        "versions": found.get("versions", {}) if isinstance(found.get("versions"), dict) else {},
        "seeds": sorted({study["result"].seed for study in studies}),
    }
    title = f"Best design: {first['headline']}" if len(studies) == 1 else f"{len(studies)} studies side by side"
    return Page("study.html.j2", title, values)


def finished(folder: Path) -> Path:
    """The answer of a folder.

    Raises:
        AllpayError: if it has none yet.
    """
    from allpay.files import in_shell

    if not (folder / RESULT).is_file():
        raise AllpayError(f"the study in {folder} is not finished: allpay resume {in_shell(folder)}")
    return folder / RESULT


def _study(folder: Path, name: str, outline: Outline, result: Result, near: list[Told]) -> dict[str, Any]:
    """All that is shown of one study."""
    space: DesignSpace = kept_part(outline.specification, "space")
    goal = objective(result.objective)
    money = outline.specification.get("money")
    money = float(money) if isinstance(money, (int, float)) and result.rule == "prizes" else None
    head = "Highest prediction" if result.unknown else "Recommended"
    names = Named(result.rule, money, space, head)
    weights = _weights(outline, folder / name)
    means = _means(folder, outline, result, len(weights))
    surrogate = _surrogate(folder / name / SURROGATE)
    unit = unit_of(goal)
    best = np.array([*result.best.weights, *result.best.chosen.values()])
    if len(best) != len(space.names) or (len(weights) and weights.shape[1] != len(best)):
        raise AllpayError(f"{folder / RESULT} is of another study: delete it, then allpay resume makes it again")
    points = _rows(weights, means, names)
    found: dict[str, Any] = {
        "name": name,
        "result": result,
        "rule": result.rule,
        "unit": unit,
        "goal": goal.words,
        "most": goal.goal,
        "who": who_bids(outline),
        "contest": which_contest(outline),
        "bidders": outline.bidders,
        "headline": names.of(best),
        "it": "design of the highest prediction" if result.unknown else "recommended design",
        "money": money,
        "money_words": None if money is None else told(money, 6),
        "announced": None if result.announced is None else names.of(result.announced.weights),
        "exact_best": None if result.equilibrium_best is None else names.of(result.equilibrium_best.weights),
        "bars": bars_of(result, near, names),
        "ranges": _ranges(result, space, money),
        "caveats": _caveats(result),
        "unsettled": _unsettled(result.verdicts),
        "near": near,
        "points": points,
        "table": _table(points),
        "stderr": _relative(points),
    }
    found["charts"] = {
        **dict.fromkeys(CHARTS),
        "bars": charts.bars(found["bars"], unit),
        **_designs_charts(space, surrogate, weights, points, result, best, unit, names),
        **_fit_chart(surrogate, points, unit),
        **_bids_charts(near, names),
    }
    return found


class Named:
    """What designs are called."""

    def __init__(self, rule: str, money: float | None, space: DesignSpace, head: str = "Recommended") -> None:
        self.rule, self.money, self.space, self.head = rule, money, space, head

    def of(self, design: Sequence[float] | Array) -> str:
        """A design in few words."""
        row = [float(x) for x in design]
        weights, beside_them = row[: self.space.bidders], row[self.space.bidders :]
        words = split_in_words(weights, self.money) if self.rule == "prizes" else shown(weights)
        more = [f"{choice.words} {told(x, 3)}" for choice, x in zip(self.space.choose, beside_them, strict=False)]
        return ", ".join([words, *more])

    def reference(self, one: Told) -> str:
        """One of the designs that the best is held against."""
        return (
            f"{self.head}: {self.of(one.design)}"
            if one.name == "best"
            else f"{self.plain(one.name)}: {self.of(one.design)}"
        )

    def plain(self, name: str) -> str:
        """Equal weights, or all weight on one rank."""
        return NAMES.get(self.rule, NAMES["prizes"]).get(name, printable(name))

    def is_plain(self, design: Sequence[float]) -> str | None:
        """Which of these a design is, if it is one."""
        weights = np.array(design[: self.space.dimension], float)
        alone = weights[0] > 0 and not np.any(weights[1:] > FEWEST_ZEROS)
        alike = len(weights) > 1 and weights[0] > 0 and np.ptp(weights) <= FEWEST_ZEROS
        return "alone" if alone else "alike" if alike else None


def bars_of(result: Result, near: Sequence[Told], names: Named) -> list[dict[str, Any]]:
    """The best design and those it is held against: what each brings, with an interval, and by how much that is less."""
    best = result.best
    design = [*best.weights, *best.chosen.values()]
    rows: list[dict[str, Any]] = [
        {
            "name": f"{names.head}: {names.of(design)}",
            "value": best.value,
            "low": best.low,
            "high": best.high,
            "theory": result.equilibrium,
            "best": True,
            "less": None,
        }
    ]
    wide = (best.high - best.low) / 2
    for one in near:
        if one.name != "best":
            value = float(np.mean(one.rounds))
            rows.append(
                {
                    "name": names.reference(one),
                    "value": value,
                    "low": max(value - wide, 0.0) if value >= 0 else value - wide,
                    "high": value + wide,
                    "theory": one.equilibrium,
                    "best": False,
                    "less": versus(value, best.value),
                    "kind": one.name,
                }
            )
    plain = names.is_plain(design)
    if near and plain is not None and not any(one.name == plain for one in near):
        same = f"{names.plain(plain)}: the same design"
        rows.append({**rows[0], "name": same, "best": False, "less": None, "kind": plain})
    most = max(abs(row["value"]) for row in rows)
    for row in rows:
        less = row.get("less")
        row["told"] = (told(row["value"]) if abs(row["value"]) > LEAST * most else "0") + (
            "" if less is None else "  (the same)" if abs(less) < ALIKE else f"  ({less:+.1%})"
        )
        row["end"] = max(row["high"], row["theory"] or -np.inf)
    order = {"alike": 0, None: 1, "alone": 2}
    return sorted(rows, key=lambda row: order.get(row.get("kind"), 1))


def unit_of(goal: Objective) -> str:
    """What an objective is called on an axis."""
    return f"{goal.words} (in units of bids)" if goal.unit == BIDS else goal.words


def who_bids(outline: Outline) -> str:
    """How many bid for what, in words."""
    try:
        return who_in_words(kept_part(outline.specification, "setting"), outline.bidders)
    except AllpayError:  # values of somebody else's, whose code is not run for a report
        return f"{outline.bidders} bidders with values of a distribution of one's own"


def which_contest(outline: Outline) -> str:
    """How ranks are decided, who turns up, and what it takes to enter, in words; empty if that is somebody else's."""
    try:
        return " ".join(contest_in_words(kept_part(outline.specification, "setting")))
    except AllpayError:
        return ""


def _weights(outline: Outline, folder: Path) -> Array:
    """`[designs, n]` the designs, in the order in which they were simulated."""
    found, store = found_in(outline, folder)
    if not found.computed:
        return np.empty((0, len(outline.names)))
    table = read(store, found.computed)
    return table.gather_every(outline.rounds).select(outline.names).to_numpy()


def _means(folder: Path, outline: Outline, result: Result, count: int) -> dict[str, Array] | None:
    """What each design brought, by the table of designs in the order of its weights; None if there is none such."""
    path = folder / "designs.csv"
    if not path.is_file() or path.is_symlink() or not count:
        return None
    try:
        table = pl.read_csv(path, infer_schema_length=None)
        own = table.filter(pl.col("rule") == result.rule) if "rule" in table.columns else table
        columns = [result.learner, f"{result.learner} stderr", f"{result.learner} converged", "equilibrium"]
        kept = [name for name in outline.names if name in own.columns]
        own = own.select([*kept, *columns]).cast(pl.Float64)
        own = own.filter(own[result.learner].is_not_null())
    except (pl.exceptions.PolarsError, OSError, ValueError):
        return None
    if len(own) != count:
        return None
    values = {name: own[name].to_numpy() for name in kept}
    measured = dict(
        zip(("value", "stderr", "converged", "equilibrium"), (own[c].to_numpy() for c in columns), strict=True)
    )
    return {**values, **measured}


def _rows(weights: Array, means: dict[str, Array] | None, names: Named) -> list[dict[str, Any]]:
    """A row for each design, in the order in which they were simulated: its weights, in words, and what it brought."""
    if means is None:
        return []
    known = [k for k, name in enumerate(names.space.names) if name in means]
    by_weight = [k for k in known if k < names.space.bidders]
    order = np.lexsort([weights[:, k] for k in reversed(by_weight)]) if by_weight else np.arange(len(weights))
    listed = np.stack([means[names.space.names[k]] for k in known], axis=1)
    if not np.allclose(weights[order][:, by_weight], listed[:, : len(by_weight)], atol=1e-9):
        return []
    place = np.empty(len(order), int)
    place[order] = np.arange(len(order))
    rows = []
    for row, at in zip(weights, place, strict=True):
        value, error, theory = (float(means[name][at]) for name in ("value", "stderr", "equilibrium"))
        rows.append(
            {
                "weights": row.tolist(),
                "design": names.of(row),
                "w": float(row[0]),
                "value": value,
                "stderr": None if np.isnan(error) else error,
                "low": value - (0.0 if np.isnan(error) else error),
                "high": value + (0.0 if np.isnan(error) else error),
                "equilibrium": None if np.isnan(theory) else theory,
                "converged": float(means["converged"][at]),
            }
        )
    return rows


def _surrogate(path: Path) -> Surrogate | None:
    if not path.is_file() or path.is_symlink():
        return None
    return Surrogate.load(path)


def _ranges(result: Result, space: DesignSpace, money: float | None) -> list[dict[str, str]]:
    """From where to where each weight goes among the designs that cannot be told from the best."""

    def amount(x: float) -> str:
        return split_in_words([x], money) if result.rule == "prizes" else told(x, 3)

    rows = [
        {
            "what": f"{'prize' if result.rule == 'prizes' else 'part paid by rank'} {k + 1}",
            "best": amount(weight),
            "low": amount(low),
            "high": amount(high),
        }
        for k, (weight, (low, high)) in enumerate(zip(result.best.weights, result.optimum.interval, strict=False))
        if k < space.dimension and (high > 1e-9 or k == 0)
    ]
    for name, (low, high) in result.chosen.items():
        rows.append(
            {
                "what": printable(name).replace("_", " "),
                "best": told(result.best.chosen.get(name, 0.0), 3),
                "low": told(low, 3),
                "high": told(high, 3),
            }
        )
    return rows


def _unsettled(verdicts: dict[str, int]) -> float:
    """The part of runs that did not converge."""
    runs = sum(verdicts.values())
    return 1 - verdicts.get("converged", 0) / runs if runs else 0.0


def _caveats(result: Result) -> dict[str, Any]:
    """What a reader must know before using the answer: each true or false, or a number, for the template to speak of."""
    best, exact = result.best, result.equilibrium_best
    wide = max(best.high - best.low, 1e-300)
    apart = None if result.equilibrium is None else abs(best.value - result.equilibrium)
    return {
        "unsettled": _unsettled(result.verdicts) > FEW,
        "weak": result.surrogate.r2 < TELLING and not result.flat,
        "surprise": not result.predicted.low - wide / 2 <= best.value <= result.predicted.high + wide / 2,
        "no_theory": result.equilibrium is None,
        "off_theory": apart is not None and apart > wide,
        "elsewhere": exact is not None
        and not exact.flat
        and not result.flat
        and any(
            not low - 0.02 <= w <= high + 0.02
            for w, (low, high) in zip(exact.weights, result.optimum.interval, strict=False)
        ),
        "one_round": result.rounds == 1,
    }


def _table(points: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The designs, the best first."""
    ranked = sorted(points, key=lambda row: -row["value"])
    return ranked[:MOST_ROWS]


def _relative(points: Sequence[dict[str, Any]]) -> float | None:
    """The standard error of a design's mean, as a part of it, of a typical design."""
    errors = [row["stderr"] / abs(row["value"]) for row in points if row["stderr"] is not None and row["value"]]
    return float(np.median(errors)) if errors else None


# Charts ---------------------------------------------------------------------------------------------------------------


def _designs_charts(
    space: DesignSpace,
    surrogate: Surrogate | None,
    weights: Array,
    points: list[dict[str, Any]],
    result: Result,
    best: Array,
    unit: str,
    names: Named,
) -> dict[str, Any]:
    """What designs bring: along a line, over a triangle, or, of more numbers, one by one."""
    if surrogate is None or len(surrogate.centre) != len(best):
        return {}
    peak = {
        "design": names.of(best),
        "value": result.best.value,
        "low": result.best.low,
        "high": result.best.high,
        "w": float(best[0]),
    }
    few = list(_thinned(points))
    if space.line:
        return {"curve": _curve(space, surrogate, few, result, peak, unit, names.head)}
    corners = space.polytope.corners
    if space.polytope.freedom == 2 and not space.choose and corners.shape[:2] == (1, 3):
        return {"triangle": _triangle(space, surrogate, weights, few, result, best, peak, unit, names)}
    return _many(space, surrogate, best, unit)


def _thinned(points: Sequence[Any]) -> Iterable[Any]:
    step = -(-len(points) // charts.MOST_POINTS) or 1
    return points[::step]


def _curve(
    space: DesignSpace,
    surrogate: Surrogate,
    points: list[dict[str, Any]],
    result: Result,
    peak: Any,
    unit: str,
    head: str,
) -> charts.Chart:
    _, designs = looked_at(space.polytope, count=129)
    members = surrogate.members(designs)
    tail = (1 - result.confidence) / 2
    low, high = np.quantile(members, [tail, 1 - tail], axis=0)
    w = designs[:, 0]
    band = [
        {"w": float(a), "low": float(b), "high": float(c), "value": float(m)}
        for a, b, c, m in zip(w, low, high, members.mean(axis=0), strict=True)
    ]
    exact = sorted(
        ({"w": row["w"], "value": row["equilibrium"]} for row in points if row["equilibrium"] is not None),
        key=lambda row: row["w"],
    )
    ends = [x for row in (*band, *points) for x in (row["low"], row["high"])]
    bottom = min(ends) - 0.06 * (max(ends) - min(ends))
    narrow = 0.004 * float(np.ptp(w))
    parts = [p for p in result.intervals if isinstance(p, (list, tuple)) and len(p) == 2]
    intervals = [(float(a) - narrow, float(b) + narrow) for a, b in parts]
    labels = ("first prize, as a part of the purse" if result.rule == "prizes" else "weight of the first rank", unit)
    return charts.curve(points, band, exact, peak, intervals, labels, bottom, head.lower())


def _triangle(
    space: DesignSpace,
    surrogate: Surrogate,
    weights: Array,
    points: list[dict[str, Any]],
    result: Result,
    best: Array,
    peak: dict[str, Any],
    unit: str,
    names: Named,
) -> charts.Chart:
    corners = space.polytope.corners[0]
    place = np.array([[0.0, 0.0], [SIDE * EDGE, 0.0], [SIDE * EDGE / 2, SIDE * EDGE * np.sqrt(3) / 2]])
    lam, up = _cells(EDGE)
    designs = lam @ corners
    values = surrogate.predict(designs)[0]
    at = lam @ place
    interval = np.array(result.optimum.interval)[: space.bidders]
    near = np.all((designs >= interval[:, 0] - 1e-9) & (designs <= interval[:, 1] + 1e-9), axis=1)
    near &= not (result.flat or bool(result.unknown))
    cells = [
        {"x": x, "y": y, "up": bool(u), "value": float(v), "near": bool(n), "design": names.of(design)}
        for (x, y), u, v, n, design in zip(at.tolist(), up, values, near, designs, strict=True)
    ]
    simulated = (
        space.polytope.coordinates(np.array([row["weights"] for row in points])) if points else np.empty((0, 1, 3))
    )
    drawn = [
        {"x": x, "y": y, **{name: row[name] for name in ("design", "value", "stderr")}}
        for (x, y), row in zip((simulated[:, 0] @ place).tolist(), points, strict=True)
    ]
    there = (space.polytope.coordinates(best[None])[0, 0] @ place).tolist()
    labels = [
        {"x": x, "y": y + dy, "name": names.of(corner)}
        for (x, y), dy, corner in zip(place.tolist(), (-22, -22, 22), corners, strict=True)
    ]
    return charts.triangle(cells, drawn, {**peak, "x": there[0], "y": there[1]}, labels, SIDE, unit)


def _cells(edge: int) -> tuple[Array, list[bool]]:
    """The middles of the small triangles that fill a large one, in its coordinates, and which of them stand on their side."""
    rows, up = [], []
    for i in range(edge):
        for j in range(edge - i):
            rows.append((i + 1 / 3, j + 1 / 3))
            up.append(True)
            if i + j < edge - 1:
                rows.append((i + 2 / 3, j + 2 / 3))
                up.append(False)
    second, third = np.array(rows).T / edge
    return np.stack([1 - second - third, second, third], axis=1), up


def _many(space: DesignSpace, surrogate: Surrogate, best: Array, unit: str) -> dict[str, Any]:
    """Of designs of more numbers: what moving a part of the purse loses, what is lost on the way to other designs, and what
    each number does."""
    polytope, point = space.polytope, space.points(best)
    ranks = min(space.dimension, MOST_RANKS)
    pairs, moved = [], []
    for i in range(ranks):
        for j in range(ranks):
            other = point.copy()
            other[i] -= MOVED
            other[j] += MOVED
            if i != j and not space.box and lies_in(polytope, other):
                pairs.append((i + 1, j + 1))
                moved.append(other)
    corners = [] if space.box or space.choose else list(polytope.corners[0][:MOST_RANKS])
    along = np.linspace(0, 1, 25)
    ways = [point + t * (corner - point) for corner in corners for t in along]
    drawn = polytope.uniform(DRAWN, np.random.default_rng(0))
    asked = np.concatenate(
        [point[None], *[np.reshape(rows, (-1, len(point))) for rows in (moved, ways) if rows], drawn]
    )
    mean, scatter = surrogate.predict(asked)
    top, rest = float(mean[0]), mean[1:]
    made: dict[str, Any] = {}
    if pairs:
        losses = (top - rest[: len(pairs)]) / abs(top)
        rows = [
            {"from": a, "to": b, "loss": float(x), "told": f"{-100 * x:+.2f}%" if abs(x) >= 5e-5 else "0%"}
            for (a, b), x in zip(pairs, losses, strict=True)
        ]
        made["moves"] = charts.moves(rows)
    if ways:
        there = slice(len(pairs), len(pairs) + len(ways))
        kinds = [
            f"{int(np.sum(corner > 1e-9))} equal" if np.ptp(corner[corner > 1e-9]) < 1e-9 else shown(corner)
            for corner in corners
        ]
        kinds = [
            "winner takes all" if kind == "1 equal" else f"{kind} prizes" if "equal" in kind else kind for kind in kinds
        ]
        kept = [k for k, corner in enumerate(corners) if not np.allclose(corner, point)][:4]
        values, error = rest[there].reshape(len(corners), -1), scatter[1:][there].reshape(len(corners), -1)
        rows = [
            {
                "x": float(t),
                "y": float(values[k, i]),
                "low": float(values[k, i] - 1.645 * error[k, i]),
                "high": float(values[k, i] + 1.645 * error[k, i]),
                "kind": kinds[k],
            }
            for k in kept
            for i, t in enumerate(along)
        ]
        labels = ("how far from the best design (0) to the other (1)", unit)
        made["ways"] = charts.lines(rows, labels, list(dict.fromkeys(kinds[k] for k in kept)), band=True)
    made["dependence"] = _dependence(space, drawn, rest[len(pairs) + len(ways) :], best, unit)
    return made


def _dependence(space: DesignSpace, drawn: Array, values: Array, best: Array, unit: str) -> list[dict[str, Any]]:
    """What designs bring by each of their numbers: the mean and the best of the designs that have it."""
    numbers = [k for k in range(drawn.shape[1]) if np.ptp(drawn[:, k]) > 1e-9]
    designs = space.designs(drawn)
    made = []
    for k in numbers[:MOST_RANKS]:
        edges = np.linspace(designs[:, k].min(), designs[:, k].max(), BINS + 1)
        place = np.clip(np.searchsorted(edges, designs[:, k], side="right") - 1, 0, BINS - 1)
        rows = [
            {"x": float((edges[b] + edges[b + 1]) / 2), "y": float(pick(values[place == b])), "kind": kind}
            for kind, pick in ((KINDS[0], np.mean), (KINDS[1], np.max))
            for b in range(BINS)
            if np.sum(place == b) >= 5
        ]
        prize = k < space.bidders and space.rule == "prizes"
        name = f"w{k + 1}" if k < space.bidders else space.choose[k - space.bidders].words
        what = f"prize {k + 1}, as a part of the purse" if prize else name
        chart = charts.lines(rows, (what, unit), KINDS, height=170, legend=False, percent=prize)
        there = float(best[k])
        made.append({"what": what, "chart": chart, "best": split_in_words([there]) if prize else told(there, 3)})
    return made


def _fit_chart(surrogate: Surrogate | None, points: list[dict[str, Any]], unit: str) -> dict[str, Any]:
    if surrogate is None or len(surrogate.held_out) != len(points) or not points:
        return {}
    rows = [
        {"design": row["design"], "value": row["value"], "predicted": float(x)}
        for row, x in zip(points, surrogate.held_out, strict=True)
    ]
    return {"fit": charts.fit(list(_thinned(rows)), ("predicted without having seen the design", f"simulated {unit}"))}


def _bids_charts(near: Sequence[Told], names: Named) -> dict[str, Any]:
    """What is bid under each of the designs, on the same axes, and how each was learned."""
    if not near:
        return {}
    tops = []
    for one in near:
        for group in one.groups:
            lines = [group.learned, *([group.theory] if group.theory else [])]
            for line in lines:
                if one.by_value:
                    tops.append(max([*line.y, *(line.high or [])], default=0.0))
                else:
                    tops.append(next((x for x, share in zip(line.x, line.y, strict=True) if share > 0.999), line.x[-1]))
    top = 1.04 * max(tops, default=1.0) or 1.0
    order = {"best": 0, "alike": 1, "alone": 2}
    listed = sorted(near, key=lambda one: order.get(one.name, 3))
    made: dict[str, Any] = {
        "bids": [
            {
                "title": names.reference(one),
                "chart": charts.bids(one, top),
                "reason": one.reason,
                "theory": one.equilibrium,
            }
            for one in listed
        ]
    }
    if any(gap > 0 for one in listed for line in one.history for gap in line):
        made["history"] = [
            {
                "title": names.reference(one),
                "chart": charts.history(one.history, "exploitability"),
                "verdicts": _counted(one),
            }
            for one in listed
        ]
    return made


def _counted(one: Told) -> str:
    counts = {verdict: one.verdicts.count(verdict) for verdict in dict.fromkeys(one.verdicts)}
    return ", ".join(f"{count} of {len(one.verdicts)} rounds {printable(verdict)}" for verdict, count in counts.items())

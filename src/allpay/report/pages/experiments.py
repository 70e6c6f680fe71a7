"""The page of experiments: which design is best in which contest, by which learner, what each objective comes to in all of
them, and what was bid over the equilibrium. Nothing is computed: all of it stands in the folder."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from allpay.errors import AllpayError, printable
from allpay.objectives import BIDS, objective
from allpay.report import beside, charts
from allpay.report.beside import Told
from allpay.report.experiments import beside_objective
from allpay.report.pages.common import FEWEST_ZEROS, Kept, Page, json_in, parsed, split_in_words, text_in
from allpay.report.pages.study import finished, unit_of, which_contest, who_bids
from allpay.simplex import shown
from allpay.study.received import Outline, outlines_of
from allpay.study.store import SPECIFICATION, read_folder

MOST_DOTS = 80
"""A chart of an objective has so many rows, at most: a contest under a design each."""

MOST_ROWS = 600
"""The table has so many rows, at most."""

MOST_SIGNS = 1_000_000
"""The charts of bids have so many letters together, at most: a page stays below 3 MB."""

SURE = 1.96
"""A difference of so many of its standard errors is no chance."""

CLIPPED = 34
"""Letters of the name of a contest, beside a chart."""


class _Grid(Kept):
    bid_levels: int
    top: float


class _Found(Kept):
    experiment: str
    learner: str
    objective: str
    designs: list[dict[str, Any]]


class _Result(Kept):
    results: list[_Found]
    grid: _Grid | None = None
    versions: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class Measure:
    """Something that is measured under each design.

    Attributes:
        title: what it is called.
        unit: what it is called on an axis.
        mean, error, theory: the columns of the table.
    """

    title: str
    unit: str
    mean: str
    error: str
    theory: str


MEASURES = (
    Measure("Revenue", "revenue (in units of bids)", "revenue", "revenue_stderr", "equilibrium_revenue"),
    Measure("Highest bid", "highest bid", "highest_bid", "highest_bid_stderr", "equilibrium_highest_bid"),
)
"""What is measured in any case."""

GAIN = Measure("What a bidder could still gain", "gain, as a part of the top prize", "relative_exploitability", "", "")


def page(folder: Path) -> Page | None:
    """The page of a folder of experiments; None if it holds none.

    Raises:
        AllpayError: if they are not finished, or damaged.
    """
    if not (folder / SPECIFICATION).exists():
        return None
    specification = read_folder(folder).specification
    if "experiments" not in specification:
        return None
    path, outlines = finished(folder), outlines_of(specification)
    found = parsed(_Result, json_in(path), path)
    if len(found.results) != len(outlines):
        raise AllpayError(f"{path} is damaged: delete it, then allpay resume makes it again")
    goal = objective(found.results[0].objective)
    own = next((one for one in MEASURES if one.mean == goal.column), None)
    main = own or Measure(_capital(goal.words), unit_of(goal), goal.column, *beside_objective(goal.column))
    measures = (main, *(one for one in MEASURES if one is not own))
    spacing = found.grid.top / max(found.grid.bid_levels - 1, 1) if found.grid else 0.0
    step = spacing if goal.unit == BIDS else 0.0
    rows = [
        _row(values, one, outline, measures, path)
        for one, outline in zip(found.results, outlines.values(), strict=True)
        for values in one.designs
    ]
    contests = _contests(rows, main, list(outlines.items()), beside.load(folder), step)
    learners = list(dict.fromkeys(row["learner"] for row in rows))
    designs = list(dict.fromkeys(row["design"] for row in rows))
    off = [row for row in rows if row["off"] is not None]
    values = {
        "goal": goal.words,
        "main": main,
        "measures": measures,
        "contests": contests,
        "learners": learners,
        "designs": designs,
        "verdict": _verdict(contests, len(designs)),
        "rounds": rows[0]["rounds"] if rows else 0,
        "step": step,
        "spacing": spacing,
        "grid": found.grid,
        "furthest": max(off, key=lambda row: abs(row["off"]), default=None),
        "unsettled": 1 - sum(row["converged"] for row in rows) / max(sum(row["rounds"] for row in rows), 1),
        "rows": rows[:MOST_ROWS],
        "count": len(rows),
        "undrawn": max(len({(row["contest"], row["design"]) for row in rows}) - MOST_DOTS, 0),
        "charts": {
            one.mean: charts.dots(_dots(rows, one), one.unit, learners, percent=one is GAIN)
            for one in (*measures, GAIN)
        },
        "gain": GAIN,
        "summary": text_in(folder / "summary.txt"),
        "specification": specification,
        "kept": (folder / SPECIFICATION).read_text(encoding="utf-8") if (folder / SPECIFICATION).is_file() else "",
        "versions": found.versions,
        "seeds": sorted({int(outline.specification["seed"]) for outline in outlines.values()}),
    }
    return Page("experiments.html.j2", f"{len(contests)} contests, {len(learners)} ways to learn", values)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _row(
    values: dict[str, Any], one: _Found, outline: Outline, measures: Sequence[Measure], path: Path
) -> dict[str, Any]:
    """What one learner did in one contest under one design."""

    def number(name: str) -> float | None:
        x = values.get(name)
        if x is not None and (isinstance(x, bool) or not isinstance(x, (int, float)) or not math.isfinite(x)):
            raise AllpayError(
                f"{path} is damaged ({printable(name)[:60]}): delete it, then allpay resume makes it again"
            )
        return None if x is None else float(x)

    def known(name: str) -> float:
        x = number(name)
        if x is None:
            raise AllpayError(
                f"{path} is damaged ({printable(name)[:60]}): delete it, then allpay resume makes it again"
            )
        return x

    weights = [number(name) or 0.0 for name in outline.names[: outline.bidders]]
    chosen = [f"{printable(name)} {known(name):.3g}" for name in outline.names[outline.bidders :]]
    split = _called(weights) if outline.rule == "prizes" else _payments(weights)
    return {
        "contest": one.experiment,
        "learner": one.learner,
        "design": ", ".join([split, *chosen]),
        "converged": int(known("converged")),
        "rounds": int(known("rounds")),
        "off": number("off"),
        **{name: number(name) for measure in measures for name in (measure.error, measure.theory)},
        **{measure.mean: known(measure.mean) for measure in (*measures, GAIN)},
    }


def _called(weights: Sequence[float]) -> str:
    """What a split of the purse is called as a design."""
    split = split_in_words(weights)
    return f"all to the winner ({split})" if sum(w > FEWEST_ZEROS for w in weights) == 1 else split


def _payments(weights: Sequence[float]) -> str:
    """The parts of their bids that ranks pay; those at the end that pay nothing are left out."""
    paying = max((k + 1 for k, w in enumerate(weights) if w > FEWEST_ZEROS), default=1)
    return shown(weights[: max(paying, 1)])


def _contests(
    rows: Sequence[dict[str, Any]],
    main: Measure,
    outlines: Sequence[tuple[str, Outline]],
    told: Sequence[Sequence[Told]],
    step: float,
) -> list[dict[str, Any]]:
    """What is said of each contest: what is best in it by each learner and by theory, and its charts of bids."""
    designs = len(rows) // max(len(outlines), 1)
    found: dict[str, dict[str, Any]] = {}
    left = MOST_SIGNS
    for k, (name, outline) in enumerate(outlines):
        own = rows[k * designs : (k + 1) * designs]
        if not own:
            continue
        contest = own[0]["contest"]
        made = found.setdefault(
            contest,
            {
                "name": contest,
                "who": who_bids(outline),
                "rules": which_contest(outline),
                "folders": [],
                "best": [],
                "theory": _best_in_theory(own, main),
                "panels": {row["design"]: [] for row in own},
                "reason": None,
                "known": False,
            },
        )
        made["folders"].append(name)
        made["best"].append(_best(own, main, step))
        for row, one in zip(own, told[k] if k < len(told) else (), strict=False):
            made["panels"][row["design"]].append((row["learner"], one))
            made["reason"] = made["reason"] or one.reason
            made["known"] = made["known"] or any(group.theory for group in one.groups)
    kinds = list(dict.fromkeys(row["learner"] for row in rows))
    for made in found.values():
        panels, made["bids"] = made.pop("panels"), []
        top = 1.04 * max((_top(one) for inside in panels.values() for _, one in inside), default=1.0) or 1.0
        made["left_out"] = 0
        for design, inside in panels.items():
            if not inside:
                continue
            chart = charts.laid_over(inside, kinds, top)
            left -= len(json.dumps(chart))
            if left < 0:
                made["left_out"] += 1
            else:
                made["bids"].append({"title": design, "chart": chart})
        made["learners"] = [best["learner"] for best in made["best"]]
        made["agree"] = len({best["design"] for best in made["best"]}) == 1
    return list(found.values())


def _top(one: Told) -> float:
    lines = [line for group in one.groups for line in (group.learned, group.theory) if line]
    return max((y for line in lines for y in (*line.y, *(line.high or []))), default=0.0)


def _best(own: Sequence[dict[str, Any]], main: Measure, step: float) -> dict[str, Any]:
    """The design that is best by one learner, and which others chance, or the grid, may keep behind it."""
    ranked = sorted(own, key=lambda row: -row[main.mean])
    first = ranked[0]
    error = first[main.error]
    alike = [
        row["design"]
        for row in ranked[1:]
        if error is None
        or first[main.mean] - row[main.mean] <= max(SURE * math.hypot(error, row[main.error] or 0.0), step)
    ]
    more = first[main.mean] / ranked[1][main.mean] - 1 if len(ranked) > 1 and ranked[1][main.mean] > 0 else None
    return {
        "learner": first["learner"],
        "design": first["design"],
        "value": first[main.mean],
        "error": error,
        "more": more,
        "second": ranked[1]["design"] if len(ranked) > 1 else None,
        "alike": alike,
        "all_alike": len(ranked) > 1 and len(alike) == len(ranked) - 1,
        "off": first["off"],
        "converged": sum(row["converged"] for row in own),
        "rounds": sum(row["rounds"] for row in own),
    }


def _best_in_theory(own: Sequence[dict[str, Any]], main: Measure) -> dict[str, Any] | None:
    """What theory puts first; None if it does not know all designs."""
    known = [row for row in own if row[main.theory] is not None]
    if len(known) < len(own):
        return None
    first = max(known, key=lambda row: row[main.theory])
    least = min(row[main.theory] for row in known)
    flat = len(known) > 1 and first[main.theory] - least <= 1e-9 * max(abs(first[main.theory]), 1e-300)
    return {"design": first["design"], "value": first[main.theory], "flat": flat}


def _verdict(contests: Sequence[dict[str, Any]], designs: int) -> str:
    """What can be said of all contests together, for the template to find words for."""
    if designs == 1:
        return "one"
    bests = [best for contest in contests for best in contest["best"]]
    if all(best["all_alike"] for best in bests):
        return "alike"
    if len({best["design"] for best in bests}) == 1:
        return "same" if not any(best["alike"] for best in bests) else "first"
    return "contest" if all(contest["agree"] for contest in contests) else "learner"


def _dots(rows: Sequence[dict[str, Any]], one: Measure) -> list[dict[str, Any]]:
    """The rows of the chart of an objective, those first in the file."""
    made: list[dict[str, Any]] = []
    places = dict.fromkeys((row["contest"], row["design"]) for row in rows)
    kept = set(list(places)[:MOST_DOTS])
    several = len({contest for contest, _ in places}) > 1
    for row in rows:
        if (row["contest"], row["design"]) not in kept:
            continue
        name = printable(row["contest"])
        name = name if len(name) <= CLIPPED else f"{name[: CLIPPED - 1]}…"
        mean, error = row[one.mean], row.get(one.error)
        made.append(
            {
                "name": f"{name}: {row['design']}" if several else row["design"],
                "kind": row["learner"],
                "value": mean,
                "low": None if error is None else mean - error,
                "high": None if error is None else mean + error,
                "theory": row.get(one.theory),
            }
        )
    return made

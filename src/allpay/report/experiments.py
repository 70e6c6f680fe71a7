"""Experiments: what learners bid in several contests under the same designs, as one table, in words, and as one figure of bids
over those of the equilibrium."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from allpay.contest.bidder import levels_of
from allpay.contest.game import Array, Game
from allpay.errors import AllpayError
from allpay.outcome import Verdict
from allpay.report.beside import GroupBids, Line, Told
from allpay.report.learned import THEORY, mean_bids
from allpay.report.look import colour_of, dashes_of, drawing, save
from allpay.report.words import aligned, significant, with_error
from allpay.scalars import numeral
from allpay.simplex import shown
from allpay.simulation import Estimate
from allpay.study.experiment import Experiment, ExperimentStudy
from allpay.study.sweep import Sweep
from allpay.theory import Equilibrium, equilibrium_or_reason, value_or_reason

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = ("o", "^", "s", "D", "v")
"""Of learners, whose lines may lie on each other."""

MARKED = 7
"""So many markers stand along a line."""

MOST_PANELS = 24
"""Of more pairs of a contest and a design, so many are drawn, those first in the file."""

COLUMNS = 4
"""Panels beside each other, at most."""

PANEL = (2.1, 1.75)
"""Inches of one."""

LETTERS = 30
"""Of a title of a panel."""

MOST_POINTS = 60
"""Of the bids of a kind of bidder by value, so many are kept for the report."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What one learner did in one contest under one design.

    Attributes:
        experiment: the learner and the contest.
        design: the number of the design.
        weights: of its ranks, and what is chosen beside them, by their names.
        game: the contest under it; its highest bid is that of the common grid.
        exact: the equilibrium, or the sentence that says why there is none.
        value: the study's objective over rounds.
        in_theory: the same in equilibrium; None if it is not known.
        revenue, highest_bid, gain: over rounds; gain is relative to the top prize.
        verdicts: of the rounds.
        bids: the rows of what was bid.
    """

    experiment: Experiment
    design: int
    weights: dict[str, float]
    game: Game
    exact: Equilibrium | str
    value: Estimate
    in_theory: float | None
    revenue: Estimate
    highest_bid: Estimate
    gain: Estimate
    verdicts: tuple[str, ...]
    bids: pl.DataFrame

    @property
    def off(self) -> float | None:
        """By how much the objective is off theory, as a part of it."""
        return self.value.mean / self.in_theory - 1 if self.in_theory else None


def seen_in(asked: ExperimentStudy, sweeps: Sequence[Sweep]) -> list[Seen]:
    """What each experiment found under each design, in their order."""
    found = []
    for each, sweep in zip(asked.experiments, sweeps, strict=True):
        goal, verdicts = sweep.study.goal, sweep.values("verdict")
        columns = [sweep.values(name) for name in (goal.column, "revenue", "highest_bid", "relative_exploitability")]
        for d, design in enumerate(sweep.study.designs.tolist()):
            free = each.setting.game(sweep.study.space.mechanism(tuple(design)))  # without the common highest bid
            value, revenue, highest_bid, gain = (Estimate(tuple(column[d].tolist())) for column in columns)
            in_theory = value_or_reason(free, goal)
            found.append(
                Seen(
                    each,
                    d,
                    dict(zip(sweep.study.space.names, design, strict=True)),
                    sweep.study.game(tuple(design)),
                    equilibrium_or_reason(free),
                    value,
                    None if isinstance(in_theory, str) else in_theory,
                    revenue,
                    highest_bid,
                    gain,
                    tuple(verdicts[d].tolist()),
                    sweep.bids.filter(pl.col("design") == d),
                )
            )
    return found


def experiments_table(asked: ExperimentStudy, seen: Sequence[Seen]) -> pl.DataFrame:
    """One table of all: a row for each experiment and design. An objective that is not in it anyway has columns of its own."""
    goal = asked.study.goal
    names = list(dict.fromkeys(name for one in sorted(seen, key=lambda one: -len(one.weights)) for name in one.weights))
    rows = []
    for one in seen:
        theory = None if isinstance(one.exact, str) else one.exact
        rows.append(
            {
                "experiment": one.experiment.name,
                "learner": one.experiment.learner.name,
                "bidders": one.game.bidders,
                "design": one.design,
                **{name: one.weights.get(name, 0.0) for name in names},
                "revenue": one.revenue.mean,
                "revenue_stderr": one.revenue.stderr,
                "highest_bid": one.highest_bid.mean,
                "highest_bid_stderr": one.highest_bid.stderr,
                "relative_exploitability": one.gain.mean,
                "converged": sum(verdict == Verdict.CONVERGED for verdict in one.verdicts),
                "rounds": len(one.verdicts),
                "equilibrium_revenue": None if theory is None else theory.revenue,
                "equilibrium_highest_bid": None if theory is None else theory.highest_bid,
                "off": one.off,
                **({} if goal.stored else _of_objective(goal.column, one)),
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def _of_objective(column: str, one: Seen) -> dict[str, float | None]:
    names = (column, *beside_objective(column))
    return dict(zip(names, (one.value.mean, one.value.stderr, one.in_theory), strict=True))


def beside_objective(column: str) -> tuple[str, str]:
    """The columns that stand beside the one of an objective: its standard error, and what theory says."""
    return f"{column}_stderr", f"equilibrium_{column}"


def experiments_told(asked: ExperimentStudy, seen: Sequence[Seen]) -> list[list[Told]]:
    """What `allpay report` draws of each experiment: bids by value under each design beside theory, as plain numbers."""
    designs = len(asked.study.designs)
    return [[_told(one) for one in seen[k : k + designs]] for k in range(0, len(seen), designs)]


def _told(one: Seen) -> Told:
    groups = []
    for group, (_, count) in enumerate(one.game.groups):
        values, mean, low, high = (row.tolist() for row in _thinned(_bids(one, group)))
        theory = None
        if not isinstance(one.exact, str):
            x, y = (row.tolist() for row in _thinned(_bids_in_theory(one, one.exact, group)))
            theory = Line(x=x, y=y)
        groups.append(GroupBids(bidders=count, learned=Line(x=values, y=mean, low=low, high=high), theory=theory))
    return Told(
        name=f"design-{one.design + 1}",
        design=list(one.weights.values()),
        rounds=list(one.value.rounds),
        verdicts=list(one.verdicts),
        equilibrium=one.in_theory,
        reason=one.exact if isinstance(one.exact, str) else None,
        by_value=True,
        groups=groups,
        history=[],
        iterations=[],
    )


def _thinned(rows: Sequence[Array]) -> list[Array]:
    """At most so many of the points of curves, their ends among them."""
    count = len(rows[0])
    kept = np.unique(np.linspace(0, count - 1, min(count, MOST_POINTS)).round().astype(int))
    return [row[kept] for row in rows]


def _bids(one: Seen, group: int) -> tuple[Array, ...]:
    """Of a kind of bidder its values, and for each the mean bid and the edges of the middle 80 % of bids, over rounds.

    Raises:
        AllpayError: if they were not kept.
    """
    own = one.bids.filter(pl.col("group") == group + 1)
    rounds = own["round"].n_unique()
    if not rounds:
        raise AllpayError("what was bid in this folder was not kept: give the same file in another folder")
    return tuple(own[column].to_numpy().reshape(rounds, -1).mean(axis=0) for column in ("value", "mean", "q10", "q90"))


def _bids_in_theory(one: Seen, exact: Equilibrium, group: int) -> tuple[Array, Array]:
    """Of a kind of bidder its values, and the mean bid of the equilibrium at each."""
    values, bidder = _bids(one, group)[0], one.game.groups[group][0]
    return values, mean_bids(exact, min(group, len(exact.groups) - 1), levels_of(bidder.values), len(values))


def experiments_in_words(asked: ExperimentStudy, seen: Sequence[Seen]) -> str:
    """What was found, as a table with a sentence above and what theory does not know below."""
    goal = asked.study.goal
    headings = ["experiment", "learner", "design", goal.words, "± s.e.", "theory", "off", "could gain", "converged"]
    rows = [
        [
            one.experiment.name,
            one.experiment.learner.name,
            shown(asked.study.designs[one.design].tolist(), 4),
            *_with_error(one.value),
            "–" if one.in_theory is None else significant(one.in_theory),
            "–" if one.off is None else f"{one.off:+.2%}",
            f"{one.gain.mean:.2%}",
            f"{sum(v == Verdict.CONVERGED for v in one.verdicts)} of {len(one.verdicts)}",
        ]
        for one in seen
    ]
    step = numeral(float(f"{asked.top / max(seen[0].game.bid_levels - 1, 1):.3g}"))
    grid = f"{seen[0].game.bid_levels} bids from 0 to {significant(asked.top)}, in steps of {step}"
    contests = len(dict.fromkeys(each.name for each in asked.experiments))
    learners = len(dict.fromkeys(each.learner.name for each in asked.experiments))
    first = (
        f"{_many(learners, 'learner')} in {_many(contests, 'contest')} under {_many(len(asked.study.designs), 'design')}, "
        f"{_many(asked.study.rounds, 'round')} each, on one grid of {grid}."
    )
    far = max((one for one in seen if one.off is not None), key=lambda one: abs(one.off or 0.0), default=None)
    if far is not None:
        design = shown(asked.study.designs[far.design].tolist(), 4)
        where = f"{far.experiment.learner.name} in {far.experiment.name}, design {design}"
        first += f" Furthest from the equilibrium's {goal.words} is {where}: {far.off:+.2%}."
    reasons = dict.fromkeys(f"{one.experiment.name}: {one.exact}" for one in seen if isinstance(one.exact, str))
    missing = [f"No closed form to compare with, {reason}." for reason in reasons]
    gain = (
        "What a bidder could gain is a part of the top prize. Rounds converge to an equilibrium on the grid: part of what is "
        f"off theory is that of its steps of {step}, and more bid_levels make it smaller."
    )
    return "\n\n".join([first, aligned([headings, *rows]), "\n".join([gain, *missing])])


def _with_error(value: Estimate) -> tuple[str, str]:
    """A mean and its standard error, which has no more decimals."""
    mean, _, error = with_error(value.mean, value.stderr if len(value.rounds) > 1 else None).partition(" ± ")
    return mean, error or "–"


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def draw_experiments(asked: ExperimentStudy, seen: Sequence[Seen], *paths: Path) -> list[Path]:
    """One figure: a panel for each contest and design, with the bids of each learner over those of the equilibrium.

    Raises:
        AllpayError: if it cannot be drawn or written.
    """
    with drawing():
        figure = _figure(asked, seen)
        for path in paths:
            save(figure, path)
    return list(paths)


def _figure(asked: ExperimentStudy, seen: Sequence[Seen]) -> "Figure":
    from matplotlib.figure import Figure

    panels: dict[tuple[str, int], list[Seen]] = {}
    for one in seen:
        panels.setdefault((one.experiment.name, one.design), []).append(one)
    names = list(dict.fromkeys(each.learner.name for each in asked.experiments))
    kept = list(panels.items())[:MOST_PANELS]
    designs = len(asked.study.designs)
    columns = designs if designs <= COLUMNS and len(kept) > designs else min(len(kept), COLUMNS)
    rows = -(-len(kept) // columns)
    figure = Figure(figsize=(max(PANEL[0] * columns, 3.4), PANEL[1] * rows + 0.55), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
    drawn: dict[str, Any] = {}
    for ax, ((name, design), inside) in zip(axes.ravel(), kept, strict=False):
        for one in inside:
            _draw(ax, one, names.index(one.experiment.learner.name), len(names), drawn)
        _theory(ax, inside[0], drawn)
        split = shown(asked.study.designs[design].tolist(), 2)
        called = name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"
        ax.set_title(f"{called}\n{split}")  # all of two lines, so that they stand at one height
        ax.set_xlim(left=0)
    top = max((float(np.max(line.get_ydata())) for ax in axes.ravel() for line in ax.lines), default=0.0) or asked.top
    axes[0, 0].set_ylim(-0.02 * top, 1.05 * top)  # shared; bids of 0 are seen
    for ax in axes.ravel()[len(kept) :]:
        ax.set_axis_off()
    for ax in axes[-1]:
        ax.set_xlabel("value")
    for ax in axes[:, 0]:
        ax.set_ylabel("bid")
    figure.legend(drawn.values(), drawn.keys(), loc="outside lower center", ncols=min(len(drawn), 4))
    return figure


def _draw(ax: "Axes", one: Seen, learner: int, learners: int, drawn: dict[str, Any]) -> None:
    """The mean bid of each value, a line for each kind of bidder; a marker for each learner shows where lines coincide."""
    for group in range(len(one.game.groups)):
        values, mean, *_ = _bids(one, group)
        style: dict[str, Any] = {
            "color": colour_of(learner),
            "zorder": 3,
            "marker": MARKERS[learner % len(MARKERS)],
            "ms": 3.5,
        }
        apart = max(len(values) // MARKED, 1)
        style |= {"ls": "none"} if len(values) == 1 else {"ls": dashes_of(group), "mfc": "white", "mew": 0.9}
        style |= {"markevery": (learner * apart // learners, apart)} if len(values) > 1 else {}
        (line,) = ax.plot(values, mean, **style)
        drawn.setdefault(one.experiment.learner.name, line)


def _theory(ax: "Axes", one: Seen, drawn: dict[str, Any]) -> None:
    if isinstance(one.exact, str):
        return
    for group in range(len(one.game.groups)):
        values, mean = _bids_in_theory(one, one.exact, group)
        style = {**THEORY, "marker": "_", "ms": 12, "ls": "none"} if len(values) == 1 else THEORY
        (line,) = ax.plot(values, mean, **style)
        drawn.setdefault("equilibrium", line)

"""Experiments: what learners bid in several contests under the same designs, as one table, in words, and as one figure of bids
over those of the equilibrium."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from allpay.contest.bidder import levels_of
from allpay.contest.game import Game
from allpay.errors import AllpayError
from allpay.outcome import Verdict
from allpay.report.learned import THEORY, mean_bids
from allpay.report.style import colour_of, dashes_of, drawing, save
from allpay.report.words import aligned, significant
from allpay.simplex import shown
from allpay.simulation import Estimate
from allpay.study.experiment import Experiment, ExperimentStudy
from allpay.study.sweep import Sweep
from allpay.theory import Equilibrium, equilibrium_or_reason

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 24
"""Of more pairs of a contest and a design, so many are drawn, those first in the file."""

COLUMNS = 4
"""Panels beside each other, at most."""

PANEL = (2.1, 1.75)
"""Inches of one."""

LETTERS = 30
"""Of a title of a panel."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What one learner did in one contest under one design.

    Attributes:
        experiment: the learner and the contest.
        design: the number of the design.
        game: the contest under it; its highest bid is that of the common grid.
        exact: the equilibrium, or the sentence that says why there is none.
        revenue, highest_bid, gain: over rounds; gain is relative to the top prize.
        verdicts: of the rounds.
        bids: the rows of what was bid.
    """

    experiment: Experiment
    design: int
    game: Game
    exact: Equilibrium | str
    revenue: Estimate
    highest_bid: Estimate
    gain: Estimate
    verdicts: tuple[str, ...]
    bids: pl.DataFrame

    @property
    def off(self) -> float | None:
        """By how much revenue is off theory, as a part of it."""
        if isinstance(self.exact, str) or self.exact.revenue <= 0:
            return None
        return self.revenue.mean / self.exact.revenue - 1


def seen_in(asked: ExperimentStudy, sweeps: Sequence[Sweep]) -> list[Seen]:
    """What each experiment found under each design, in their order."""
    found = []
    for each, sweep in zip(asked.experiments, sweeps, strict=True):
        columns = [sweep.values(name) for name in ("revenue", "highest_bid", "relative_exploitability")]
        verdicts = sweep.values("verdict")
        for d, design in enumerate(sweep.study.designs):
            free = each.setting.game(
                sweep.study.space.mechanism(tuple(design.tolist()))
            )  # without the common highest bid
            revenue, highest_bid, gain = (Estimate(tuple(column[d].tolist())) for column in columns)
            game, exact = sweep.study.game(tuple(design.tolist())), equilibrium_or_reason(free)
            told, bids = tuple(verdicts[d].tolist()), sweep.bids.filter(pl.col("design") == d)
            found.append(Seen(each, d, game, exact, revenue, highest_bid, gain, told, bids))
    return found


def experiments_table(seen: Sequence[Seen]) -> pl.DataFrame:
    """One table of all: a row for each experiment and design."""
    ranks = max(len(one.game.mechanism.prizes) for one in seen)
    rows = []
    for one in seen:
        prizes = one.game.mechanism.prizes
        theory = None if isinstance(one.exact, str) else one.exact
        rows.append(
            {
                "experiment": one.experiment.name,
                "learner": one.experiment.learner.name,
                "bidders": one.game.bidders,
                "design": one.design,
                **{f"w{k + 1}": prizes[k] if k < len(prizes) else 0.0 for k in range(ranks)},
                "revenue": one.revenue.mean,
                "revenue_stderr": one.revenue.stderr,
                "highest_bid": one.highest_bid.mean,
                "relative_exploitability": one.gain.mean,
                "converged": sum(verdict == Verdict.CONVERGED for verdict in one.verdicts),
                "rounds": len(one.verdicts),
                "equilibrium_revenue": None if theory is None else theory.revenue,
                "equilibrium_highest_bid": None if theory is None else theory.highest_bid,
                "off": one.off,
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def experiments_in_words(asked: ExperimentStudy, seen: Sequence[Seen]) -> str:
    """What was found, as a table with a sentence above and what theory does not know below."""
    headings = ["experiment", "learner", "design", "revenue", "± s.e.", "theory", "off", "could gain", "converged"]
    rows = [
        [
            one.experiment.name,
            one.experiment.learner.name,
            shown(asked.study.designs[one.design].tolist(), 4),
            significant(one.revenue.mean),
            "–" if len(one.verdicts) == 1 else significant(one.revenue.stderr, 2),
            "–" if isinstance(one.exact, str) else significant(one.exact.revenue),
            "–" if one.off is None else f"{one.off:+.2%}",
            f"{one.gain.mean:.2%}",
            f"{sum(v == Verdict.CONVERGED for v in one.verdicts)} of {len(one.verdicts)}",
        ]
        for one in seen
    ]
    grid = f"{seen[0].game.bid_levels} bids from 0 to {significant(asked.top)}"
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
        first += f" Furthest from the equilibrium's revenue is {where}: {far.off:+.2%}."
    reasons = dict.fromkeys(f"{one.experiment.name}: {one.exact}" for one in seen if isinstance(one.exact, str))
    missing = [f"No closed form to compare with, {reason}." for reason in reasons]
    gain = "What a bidder could gain is a part of the top prize."
    return "\n\n".join([first, aligned([headings, *rows]), "\n".join([gain, *missing])])


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
            _draw(ax, one, names.index(one.experiment.learner.name), drawn)
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


def _draw(ax: "Axes", one: Seen, colour: int, drawn: dict[str, Any]) -> None:
    """The mean bid of each value, a line for each kind of bidder."""
    for group in range(len(one.game.groups)):
        own = one.bids.filter(pl.col("group") == group + 1)
        rounds = own["round"].n_unique()
        if not rounds:
            raise AllpayError("what was bid in this folder was not kept: give the same file in another folder")
        values, mean = (own[column].to_numpy().reshape(rounds, -1).mean(axis=0) for column in ("value", "mean"))
        style: dict[str, Any] = {"color": colour_of(colour), "zorder": 3}
        style |= {"marker": "o", "ms": 4, "ls": "none"} if len(values) == 1 else {"ls": dashes_of(group)}
        (line,) = ax.plot(values, mean, **style)
        drawn.setdefault(one.experiment.learner.name, line)


def _theory(ax: "Axes", one: Seen, drawn: dict[str, Any]) -> None:
    if isinstance(one.exact, str):
        return
    for group, (bidder, _) in enumerate(one.game.groups):
        values = np.unique(one.bids.filter(pl.col("group") == group + 1)["value"].to_numpy())
        mean = mean_bids(one.exact, min(group, len(one.exact.groups) - 1), levels_of(bidder.values), len(values))
        style = {**THEORY, "marker": "_", "ms": 12, "ls": "none"} if len(values) == 1 else THEORY
        (line,) = ax.plot(values, mean, **style)
        drawn.setdefault("equilibrium", line)

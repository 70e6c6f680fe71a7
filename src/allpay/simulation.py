"""What one design brings: a mean over rounds with its error, and whether the grid can stand for continuous bids.

A command that simulates one design loads this room, and not those of networks.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtrit

from allpay.contest.bidder import with_levels
from allpay.contest.game import Array, Game
from allpay.learners import run_seeds
from allpay.learners.base import outcome_from
from allpay.scalars import numeral
from allpay.study.study import TRAINING, Study
from allpay.theory import Equilibrium

FEWEST_STEPS, FAR_OFF = 8, 0.01
"""Fewer steps of the grid up to the highest equilibrium bid, or revenue further off the closed form, call for a note."""

MOVED = 0.25
"""A grid is too coarse if halving its steps moves revenue by this part of its distance from the closed form: an error of first
order in the step moves by half."""

REFINED_ROUNDS = 3
"""In how many rounds, at most, the grid is refined to see what it hides."""


@dataclass(frozen=True)
class Estimate:
    """A mean over independent rounds.

    Attributes:
        rounds: `[rounds]` the value in each.
    """

    rounds: tuple[float, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.rounds))

    @property
    def stderr(self) -> float:
        """Standard error of the mean; NaN for one round."""
        return float(np.std(self.rounds, ddof=1) / math.sqrt(len(self.rounds))) if len(self.rounds) > 1 else math.nan

    @property
    def half_width(self) -> float:
        """Half the length of the 90 % interval of the mean, by Student's t; 0 for one round, which says nothing of chance."""
        return float(stdtrit(len(self.rounds) - 1, 0.95)) * self.stderr if len(self.rounds) > 1 else 0.0


def coarseness(
    game: Game,
    exact: Equilibrium | None,
    revenue: float,
    settled: float = 1.0,
    finer: Callable[[], float] | None = None,
    chance: float = 0.0,
) -> str | None:
    """A sentence for the user where the grid of a game is too coarse to stand for continuous bids and values, else None.

    It begins where revenue is off by more than chance and by more than one part in a hundred.

    Args:
        game: whose grid.
        exact: its equilibrium on continuous bids.
        revenue: what was learned on the grid.
        settled: the share of rounds that converged; if it is not 1, the grid need not be to blame for revenue that is off.
        finer: gives by how much steps half as wide move revenue, see `changes_on_finer_grid`. It is asked only where revenue
            is off and all rounds converged: the grid is to blame if it moves.
        chance: by how much the mean of the rounds may be off by chance, see `Estimate.half_width`.
    """
    if exact is None:
        return None
    top, step = exact.top_bid, game.top_bid / (game.bid_levels - 1)
    if 0 < top < FEWEST_STEPS * step:
        return (
            f"The grid is coarse: its step is {numeral(step, 3)}, and equilibrium bids reach only {numeral(top, 3)}; "
            "give more --bid-levels or a lower --max-bid."
        )
    off = abs(revenue - exact.revenue) / exact.revenue if exact.revenue > 0 else 0.0
    if off <= FAR_OFF or abs(revenue - exact.revenue) <= chance:
        return None
    kinds, remedy = (
        ("bids", "--bid-levels") if game.exact_values else ("bids and values", "--bid-levels and --value-levels")
    )
    text = f"Revenue is {off:.{0 if off >= 0.1 else 1}%} off the closed form, which is for continuous {kinds}"
    if settled < 1:
        which = "no round" if settled == 0 else "not every round"
        return f"{text}; since {which} converged, this need not be the grid's doing."
    if finer is None:
        return f"{text}: the grid is too coarse; give more {remedy}."
    moved = abs(finer()) / exact.revenue
    if moved < MOVED * off and abs(revenue - exact.revenue) <= game.bidders * step / 2:
        return f"{text}. Steps half as wide move it by {moved:.1%} only; it is within half a step of the grid for each bidder."
    if moved < MOVED * off:
        return f"{text}. Steps half as wide move it by {moved:.1%} only, so this is not the grid's doing."
    return f"{text}. Steps half as wide move it by {moved:.1%}: the grid is too coarse; give more {remedy}."


def on_finer_grid(study: Study) -> Study:
    """The same study with steps of bids and values half as wide."""
    setting = study.setting
    assert setting is not None
    finer = with_levels(setting.values, lambda levels: 2 * levels)
    return replace(study, setting=replace(setting, bid_levels=2 * setting.bid_levels - 1, values=finer))


def changes_on_finer_grid(study: Study, weights: Array, numbers: Sequence[int], values: Array) -> Array:
    """`[designs, at most 3]` by how much steps half as wide move the objective of designs `[designs, n]`, round by round.

    Both grids are learned with the same seeds, so that what chance does to both is in no difference.

    Args:
        study: whose designs.
        weights: `[designs, n]`.
        numbers: of these designs, which their seeds come from.
        values: `[designs, rounds]` the objective on the study's own grid.
    """
    finer = on_finer_grid(study)
    seeds = run_seeds(study.seed, numbers, min(study.rounds, REFINED_ROUNDS), TRAINING)
    refined = outcome_from(study.learner, [finer.game(w) for w in weights], seeds)
    return study.goal.values(refined) - values[:, : seeds.shape[1]]

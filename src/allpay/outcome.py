"""What bidders learned, per design and round: strategies, revenue, exploitability, how it fell, and the verdict on it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from allpay.frozen import ByValue
from allpay.game import Array, Game
from allpay.payoffs import Evaluation, exploitability

TOLERANCE = 0.01
"""Exploitability, relative to the stake of the game, below which a run counts as converged unless its learner says."""

TOGETHER = 5
"""All bidders together may gain so many times the tolerance, as a part of all prizes."""

FALLING = 0.9
"""Exploitability still falls if its mean over the last quarter of a run is below this part of the quarter before."""


ASYMMETRIC = 0.05
"""Bidders whose mean bids lie further apart than this part of the top bid play an asymmetric profile."""


class Verdict(StrEnum):
    """How far a run can be taken for an equilibrium of the game on the grid."""

    CONVERGED = "converged"
    STILL_LEARNING = "still learning"
    CIRCLING = "circling"

    @property
    def sentence(self) -> str:
        """What it means for the user."""
        return {
            Verdict.CONVERGED: (
                "No bidder gains more than the tolerance by another strategy: read it as an equilibrium on this grid."
            ),
            Verdict.STILL_LEARNING: (
                "Exploitability was still falling when the iterations ran out: give more of them, "
                "or another learner, for some settle sooner."
            ),
            Verdict.CIRCLING: (
                "Exploitability stays flat above the tolerance: learning does not settle here, "
                "and revenue is what these bidders pay on the way, not an equilibrium's."
            ),
        }[self]


@dataclass(frozen=True, eq=False)
class Outcome(ByValue):
    """What one learner did in a batch of games.

    Attributes:
        games: `[designs]` the games, all of one shape.
        learner: the learner's name.
        strategy: `[designs, rounds, 1 or bidders, values, bids]` the probability of each bid given the value; one table
            where all bidders share what they learned, else one each.
        revenue: `[designs, rounds]` expected revenue of these strategies, exact on the grid.
        highest_bid: `[designs, rounds]` their expected highest bid, exact.
        realised_revenue: `[designs, rounds]` mean revenue of sampled auctions: the last ones of learning where bidders
            learn from auctions, else fresh ones played with the learned strategies.
        realised_highest_bid: `[designs, rounds]` mean highest bid of the same auctions.
        exploitability: `[designs, rounds]` best-response payoff minus payoff, mean over bidders and values.
        payoff: `[designs, rounds]` expected utility, mean over bidders.
        history: `[designs, rounds, checkpoints]` exploitability along the run, at even distances; NaN after it ended.
        iterations: `[designs, rounds]` how many iterations or auctions each run took.
        auctions: how many auctions were sampled, over all runs, in learning or measuring.
        tolerance: exploitability relative to the stake up to which a run counts as converged.
    """

    games: tuple[Game, ...]
    learner: str
    strategy: Array
    revenue: Array
    highest_bid: Array
    realised_revenue: Array
    realised_highest_bid: Array
    exploitability: Array
    payoff: Array
    history: Array
    iterations: NDArray[np.int64]
    auctions: int
    tolerance: float = TOLERANCE

    def of(self, design: int) -> "Outcome":
        """The outcome of one design of the batch; its first dimension has length 1. Of the auctions it has an equal share."""
        part = slice(design, design + 1)
        arrays: dict[str, Any] = {
            name: value[part] for name, value in vars(self).items() if isinstance(value, np.ndarray)
        }
        auctions = self.auctions // len(self.games)
        return replace(self, games=self.games[part], auctions=auctions, **arrays)

    @property
    def relative_exploitability(self) -> Array:
        """`[designs, rounds]` exploitability over the stake: the utility of the top prize at the highest value."""
        return self.exploitability / self.stakes[:, None]

    @property
    def stakes(self) -> Array:
        """`[designs]` the stake of each game."""
        return np.array([stake(game) for game in self.games])

    @property
    def exploitability_by_bidder(self) -> Array:
        """`[designs, rounds, bidders]` what each bidder could gain; `exploitability` is the mean of these."""
        return np.array(
            [[exploitability(g, profile) for profile in row] for g, row in zip(self.games, self.strategy, strict=True)]
        )

    @property
    def total_exploitability(self) -> Array:
        """`[designs, rounds]` the sum over bidders of what each could gain, the Nash convergence measure."""
        return self.exploitability * self.games[0].bidders

    @property
    def converged(self) -> NDArray[np.bool_]:
        """`[designs, rounds]` whether exploitability ended within the tolerance, see `threshold`."""
        return self.exploitability <= np.array([threshold(game, self.tolerance) for game in self.games])[:, None]

    @property
    def verdicts(self) -> NDArray[np.str_]:
        """`[designs, rounds]` a `Verdict` each."""
        falling = np.apply_along_axis(_is_falling, -1, self.history)
        return np.where(
            self.converged,
            Verdict.CONVERGED.value,
            np.where(falling, Verdict.STILL_LEARNING.value, Verdict.CIRCLING.value),
        )

    @property
    def sentence(self) -> str:
        """What the verdicts say, for the user."""
        found = self.verdicts.ravel()
        counts = {verdict: int(np.sum(found == verdict.value)) for verdict in Verdict}
        told = {verdict: verdict.sentence for verdict in Verdict}
        if self.tolerance > TOLERANCE:
            told[Verdict.CONVERGED] = (
                "No bidder gains more than the tolerance that was asked for, but that is too much for an equilibrium."
            )
        text = " ".join(f"{k} of {len(found)} rounds {v.value}. {told[v]}" for v, k in counts.items() if k)
        limit = threshold(self.games[0], self.tolerance)
        return f"{text} (Tolerance: an exploitability of {limit:.3g}.)" + self._symmetry()

    def _symmetry(self) -> str:
        """A sentence on how alike the bidders bid, where each learned a strategy of its own."""
        if self.strategy.shape[2] == 1:
            return ""
        apart = int(np.sum(self.asymmetry > ASYMMETRIC))
        if apart == 0:
            return " All bidders ended with much the same bids: near a symmetric profile."
        return (
            f" In {apart} of {self.asymmetry.size} rounds the bidders ended apart, their mean bids differing by more than "
            f"{ASYMMETRIC:.0%} of the top bid: an asymmetric profile, not the symmetric equilibrium."
        )

    @property
    def asymmetry(self) -> Array:
        """`[designs, rounds]` how far the bidders' mean bids lie apart, highest minus lowest, relative to the top bid."""
        grids = np.stack([game.bid_grid for game in self.games])
        mean_bids = np.einsum("drivb,db->dri", self.strategy, grids) / self.strategy.shape[3]
        return np.ptp(mean_bids, axis=-1) / grids[:, -1:]


def stake(game: Game) -> float:
    """The most that a bidder can win in a game, in units of utility: the top prize at the highest value."""
    return float(game.utility(game.values.highest * game.mechanism.prizes[0]))


def threshold(game: Game, tolerance: float) -> float:
    """The exploitability up to which a game counts as converged: a part `tolerance` of the stake.

    Where bidders are many that is not enough: each may overbid by little and all together by more than there is to win.
    So what all could gain together must also be at most five times that part of all prizes, at the highest value.
    """
    prizes = float(game.utility(game.values.highest * sum(game.mechanism.prizes)))
    return tolerance * min(stake(game), TOGETHER * prizes / game.bidders)


def fields_of(evaluations: Sequence[Iterable[Evaluation]]) -> dict[str, Array]:
    """The fields of an `Outcome` that exact evaluations `[designs][rounds]` fill, each `[designs, rounds]`."""
    table = [list(row) for row in evaluations]
    return {
        "revenue": np.array([[e.revenue for e in row] for row in table]),
        "highest_bid": np.array([[e.highest_bid for e in row] for row in table]),
        "exploitability": np.array([[e.exploitability.mean() for e in row] for row in table]),
        "payoff": np.array([[e.payoff.mean() for e in row] for row in table]),
    }


def _is_falling(history: Array) -> bool:
    known = history[np.isfinite(history)]
    quarter = len(known) // 4
    if quarter == 0:
        return True  # too short a run to have settled
    return bool(known[-quarter:].mean() < FALLING * known[-2 * quarter : -quarter].mean())

"""What bidders learned, per design and round: strategies, revenue, exploitability, how it fell, and the verdict on it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from allpay.compiled import compiled
from allpay.contest.game import Array, Game
from allpay.contest.payoffs import Evaluation, appraise, evaluate, exploitability
from allpay.frozen import ByValue, Drawn, Framed

TOLERANCE = 0.01
"""The distance from equilibrium up to which a run counts as converged unless its learner says, see `distance`."""

WIDER = 5.0
"""Of what a bidder spends, and of revenue, so many times the part may be amiss that may be of the top prize."""

NEGLIGIBLE = 0.1
"""A gain below this part of the tolerance, of what a bidder wins, is no distance, however little is spent."""

SETTLED = 0.125
"""The part of a run that its trend leaves out: there bidders still forget where they began."""

HORIZON = 400.0
"""A run is still learning if, as fast as it comes closer, this many times the iterations bring it within the tolerance,
or to a tenth of where it is."""

LATE = 0.9
"""Up to this part of a run lies what its last part is compared with."""

PATIENT = 10.0
"""More times the iterations than these are not advised."""

FEWEST = 4
"""A trend needs so many points at least."""

CERTAIN = 2.0
"""By how many standard errors its trend must fall."""

ASYMMETRIC = 0.05
"""Bidders whose mean bids lie further apart than this part of the top bid play an asymmetric profile."""


class Verdict(StrEnum):
    """How far a run can be taken for an equilibrium of the game on the grid."""

    CONVERGED = "converged"
    STILL_LEARNING = "still learning"
    CIRCLING = "circling"
    UNSOLVED = "not solved"

    @property
    def sentence(self) -> str:
        """What it means for the user."""
        return {
            Verdict.CONVERGED: (
                "No bidder gains more than the tolerance by another strategy: read it as an equilibrium on this grid."
            ),
            Verdict.STILL_LEARNING: (
                "Exploitability had not settled when the iterations ran out: give more of them, or another learner, for some "
                "settle sooner."
            ),
            Verdict.CIRCLING: (
                "Exploitability does not fall towards the tolerance: learning does not settle here, "
                "and revenue is what these bidders pay on the way, not an equilibrium's."
            ),
            Verdict.UNSOLVED: (
                "The solver stopped before it found an equilibrium: its bids mean nothing. Start it from other seeds, "
                "give it more iterations, a learner, or another grid."
            ),
        }[self]


@dataclass(frozen=True, eq=False)
class Outcome(ByValue, Drawn, Framed):
    """What one learner did in a batch of games.

    Attributes:
        games: `[designs]` the games, all of one shape.
        learner: the learner's name.
        strategy: `[designs, rounds, groups or bidders, values, bids]` the probability of each bid given the value; one table
            for each group where its bidders share what they learned, else one for each bidder, those of a group beside each
            other.
        revenue: `[designs, rounds]` expected revenue of these strategies, exact on the grid.
        highest_bid: `[designs, rounds]` their expected highest bid, exact.
        realised_revenue: `[designs, rounds]` mean revenue of sampled auctions: the last ones of learning where bidders
            learn from auctions, else fresh ones played with the learned strategies.
        realised_highest_bid: `[designs, rounds]` mean highest bid of the same auctions.
        exploitability: `[designs, rounds]` best-response payoff minus payoff, mean over bidders and values.
        payoff: `[designs, rounds]` expected utility, mean over bidders.
        distance: `[designs, rounds]` how far the strategies are from an equilibrium, see `distance`; of a model of behaviour,
            from what it says, as the largest part of bids that would have to be others.
        history: `[designs, rounds, checkpoints]` exploitability along the run, at even distances; NaN after it ended.
        iterations: `[designs, rounds]` how many iterations or auctions each run took.
        auctions: how many auctions were sampled, over all runs, in learning or measuring.
        tolerance: the distance up to which a run counts as converged.
        solver: whether the learner solves the game, and does not model how bidders learn.
        behaviour: of what the strategies are a model, as "a logit equilibrium"; empty where they are to be an equilibrium.
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
    distance: Array
    history: Array
    iterations: NDArray[np.int64]
    auctions: int
    tolerance: float = TOLERANCE
    solver: bool = False
    behaviour: str = ""

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
        """`[designs, rounds]` whether the strategies are within the tolerance of an equilibrium, see `distance`."""
        return self.distance <= self.tolerance

    @property
    def longer(self) -> Array:
        """`[designs, rounds]` how many times the iterations would bring a run within the tolerance, at the rate at which it
        came closer; 1 where it is within, ∞ where it does not come closer."""
        return self._longer(np.inf)

    def _longer(self, most: float) -> Array:
        """The same, where it is enough to come closer by a factor of `most`."""
        factors = np.minimum(self.distance / self.tolerance, most)
        return np.array(
            [
                [_longer(history, factor) for history, factor in zip(*rows, strict=True)]
                for rows in zip(self.history, factors, strict=True)
            ]
        )

    @property
    def rising(self) -> NDArray[np.bool_]:
        """`[designs, rounds]` whether exploitability was higher at the end of a run than at nine tenths of it."""
        return np.array([[_rose(history) for history in rows] for rows in self.history])

    @property
    def verdicts(self) -> NDArray[np.str_]:
        """`[designs, rounds]` a `Verdict` each."""
        learning = np.where(self._longer(10.0) <= HORIZON, Verdict.STILL_LEARNING.value, Verdict.CIRCLING.value)
        unsettled = Verdict.UNSOLVED.value if self.solver else learning
        return np.where(self.converged, Verdict.CONVERGED.value, unsettled)

    @property
    def sentence(self) -> str:
        """What the verdicts say, for the user."""
        found = self.verdicts.ravel()
        counts = {verdict: int(np.sum(found == verdict.value)) for verdict in Verdict}
        told = {verdict: verdict.sentence for verdict in Verdict}
        if self.behaviour:
            told[Verdict.CONVERGED] = (
                f"The bids are {self.behaviour}, which is not a Nash equilibrium: by a best response a bidder would gain "
                f"{self.relative_exploitability.max():.1%} of the top prize. The model says that people leave that much."
            )
            told[Verdict.UNSOLVED] = (
                f"The solver stopped before it found {self.behaviour}: its bids mean nothing. Give it more iterations, more "
                "noise, or another grid."
            )
        if self.tolerance > TOLERANCE:
            told[Verdict.CONVERGED] = (
                "No bidder gains more than the tolerance that was asked for, but that is too much for an equilibrium."
            )
        learning = found == Verdict.STILL_LEARNING.value
        told[Verdict.STILL_LEARNING] += self._trend(learning)
        text = " ".join(f"{k} of {len(found)} rounds {v.value}. {told[v]}" for v, k in counts.items() if k)
        if self.behaviour:
            return text
        part = 100 * self.tolerance
        limits = f"{part:.3g}% of the top prize, and {WIDER * part:.3g}% of what a bidder spends and of revenue"
        return f"{text} (Tolerance: a gain of {limits}.)" + self._symmetry()

    def _trend(self, learning: NDArray[np.bool_]) -> str:
        """A sentence on where the exploitability of some runs `[designs·rounds]` was going when they ended."""
        rising, times = learning & self.rising.ravel(), self.longer.ravel()[learning]
        if rising.any():
            which = "" if learning.sum() == 1 else f" in {rising.sum()} of these {learning.sum()} rounds"
            return f" It rose in the last tenth of the run{which}, so that more of them may not help."
        if not times.size or times.max() >= HORIZON:  # or too short a run to tell
            return ""
        longest = float(times.max())
        rather = "" if longest <= PATIENT else ", so that another learner is the better choice"
        return f" It was falling: at this rate it takes about {longest:.2g} times as many{rather}."

    def _symmetry(self) -> str:
        """A sentence on how alike the bidders bid, where each learned a strategy of its own."""
        if self.strategy.shape[2] == len(self.games[0].groups):
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
        """`[designs, rounds]` how far the mean bids of a group's bidders lie apart, highest minus lowest, relative to the top
        bid; of the group where they lie furthest apart."""
        grids = np.stack([game.bid_grid for game in self.games])
        mean_bids = np.einsum("drivb,db->dri", self.strategy, grids) / self.strategy.shape[3]
        counts = self.games[0].counts
        groups = len(counts) if self.strategy.shape[2] == counts.sum() else 0
        ends = np.cumsum(counts)[:groups]
        spread = (
            [np.ptp(part, axis=-1) for part in np.split(mean_bids, ends[:-1], axis=-1)]
            if groups
            else [0 * mean_bids[..., 0]]
        )
        return np.max(spread, axis=0) / grids[:, -1:]


def stake(game: Game) -> float:
    """The most that a bidder can win in a game, in units of utility: the top prize to whom it is worth most."""
    top = game.mechanism.prizes[0]
    return max(
        float(game.utility_of(i, bidder.values.highest * top + bidder.joy)) for i, (bidder, _) in enumerate(game.groups)
    )


@compiled
def distance(gain, payoff, winnings, paid, excess, stake):  # type: ignore[no-untyped-def]
    """How far strategies are from an equilibrium: the largest of three parts, measured against what is at stake.

    - gain / stake: what a bidder gains by a best response, as a part of the top prize at the highest value.
    - gain / spent / 5: the same as a part of what it spends, in utility. Most values are below the highest, and most
      bidders win nothing: where they spend little, little is worth learning, and a small part of the top prize is much.
    - excess / paid / 5: the part of revenue whose bidders would rather keep it. With cost b² low bids cost next to nothing, so
      that wrong ones leave hardly anything to gain, and yet they bring revenue.

    Where the gain is below a thousandth or so of what bidders win (`NEGLIGIBLE`), little can be amiss even if nearly nothing is
    spent, as where all prizes are equal. A distance of 0.01 leaves revenue within about 5 % of the equilibrium's.

    Args:
        gain, payoff, winnings, paid, excess: means over bidders and values, see `payoffs.appraise`.
        stake: of the game.
    """
    if gain <= 0.0:
        return 0.0
    spent = max(winnings - payoff, 1e-12 * stake)  # nothing spent is very far, and not infinitely
    far = max(gain / stake, gain / (WIDER * spent))
    far = max(far, excess / (WIDER * paid) if paid > 0.0 else 0.0)
    return min(far, gain / (NEGLIGIBLE * winnings)) if winnings > 0.0 else far


def distance_of(game: Game, found: Evaluation) -> float:
    """The distance from equilibrium of a profile that was evaluated."""
    parts = (found.exploitability, found.payoff, found.winnings, found.paid, found.excess)
    gain, payoff, winnings, paid, excess = (float(part.mean()) for part in parts)
    return float(distance(gain, payoff, winnings, paid, excess, stake(game)))


def within(game: Game, strategy: Array, gain: float, tolerance: float | None) -> bool:
    """Whether a run may stop: whether a profile, of this exploitability, is within the tolerance; None never is."""
    if tolerance is None or gain > tolerance * stake(game):  # the latter for speed alone
        return False
    return distance_of(game, evaluate(game, strategy)) <= tolerance


class Goal(NamedTuple):
    """What a compiled loop needs to know to stop when the verdict would be that the run has converged.

    Attributes:
        tolerance: the distance at which to stop; negative if the run is not to stop for that.
        least: the exploitability at which to stop in any case; negative for none.
        stake: of the game.
    """

    tolerance: float
    least: float
    stake: float


def goal_of(game: Game, tolerance: float | None, least: float = -1.0) -> Goal:
    """The goal of a run; where it has no tolerance it stops at an exploitability of `least` of the stake."""
    if tolerance is not None:
        return Goal(float(tolerance), -1.0, stake(game))
    return Goal(-1.0, least * stake(game), stake(game))


@compiled
def reached(goal, gain, payoffs, averages, strategy):  # type: ignore[no-untyped-def]
    """Whether a run may stop whose `strategy` `[groups, values, bids]` has this exploitability; averages are of it."""
    if gain <= goal.least:
        return True
    if gain > goal.tolerance * goal.stake:
        return False
    counts = payoffs.ranking.counts
    payoff = winnings = paid = excess = 0.0
    for i in range(len(strategy)):
        found = appraise(
            averages[i],
            payoffs.table[i],
            payoffs.winnings[i],
            payoffs.fractions,
            payoffs.bids,
            payoffs.allowed[i],
            payoffs.attitudes[i],
            strategy[i],
        )
        share = counts[i] / counts.sum()
        payoff += share * found[1]
        winnings += share * found[2]
        paid += share * found[3]
        excess += share * found[4]
    return distance(gain, payoff, winnings, paid, excess, goal.stake) <= goal.tolerance


def fields_of(games: Sequence[Game], evaluations: Sequence[Iterable[Evaluation]]) -> dict[str, Any]:
    """The fields of an `Outcome` that exact evaluations `[designs][rounds]` fill, each `[designs, rounds]`."""
    table = [list(row) for row in evaluations]
    return {
        "revenue": np.array([[e.revenue for e in row] for row in table]),
        "highest_bid": np.array([[e.highest_bid for e in row] for row in table]),
        "exploitability": np.array([[e.exploitability.mean() for e in row] for row in table]),
        "payoff": np.array([[e.payoff.mean() for e in row] for row in table]),
        "distance": np.array([[distance_of(game, e) for e in row] for game, row in zip(games, table, strict=True)]),
    }


def _rose(history: Array) -> bool:
    """Whether exploitability was higher at the end of a history than at nine tenths of it."""
    known = history[np.isfinite(history)]
    return len(known) > 1 and bool(known[-1] > known[min(math.ceil(LATE * len(known)), len(known) - 1) - 1])


def _longer(history: Array, factor: float) -> float:
    """How many times the iterations would bring exploitability down by `factor`, from its trend in the history.

    Exploitability falls like a power of time where learning settles, and where it circles it swings evenly in the logarithm of
    time, ever more slowly. So the trend is a line through log exploitability over log time, with times weighed evenly in
    the latter, from an eighth of the run on: long enough to see a swing for what it is. Errors that follow each other, as in a
    swing, count as fewer.
    """
    if factor <= 1.0:
        return 1.0
    known = history[np.isfinite(history)]
    if len(known) and known[-1] <= 0:
        return np.inf
    time = np.arange(1, len(known) + 1) / max(len(known), 1)
    late = (time > SETTLED) & (known > 0)
    if late.sum() < FEWEST:
        return HORIZON  # too short a run to have settled
    x, y, weight = np.log(time[late]), np.log(known[late]), 1.0 / time[late]
    weight /= weight.sum()
    x, y = x - weight @ x, y - weight @ y
    spread = weight @ x**2
    slope = (weight @ (x * y)) / spread
    rest = y - slope * x
    noise = rest @ rest
    follows = min(max((rest[1:] @ rest[:-1]) / noise, 0.0), 0.95) if noise > 0 else 0.0
    error = np.sqrt(weight @ rest**2 / spread / (len(x) - 2) * (1 + follows) / (1 - follows))
    if slope >= -1e-9 or slope + CERTAIN * error >= 0:
        return np.inf
    return float(np.exp(min(np.log(factor) / -slope, 700.0)))

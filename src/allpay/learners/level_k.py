"""Level-k thinking: people who think so many steps ahead, and take others to think one step less. A model, not learning."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from allpay.contest.auction import MOST_AUCTIONS
from allpay.contest.game import Array, Game, Setting
from allpay.contest.payoffs import averages_of, best_responses, mean_regret, payoffs_of
from allpay.errors import AllpayError, one_of
from allpay.learners.base import CHECKPOINTS, Learned, Seeds, check_count, check_number, outcome_of_runs
from allpay.learners.logit_equilibrium import cells
from allpay.outcome import Outcome
from allpay.scalars import plain_fields

MOST_LEVELS = 1000
"""Nobody thinks further ahead."""

STARTS = ("uniform", "value")
"""What those of level 0 do."""


@dataclass(frozen=True)
class LevelK:
    """Level-k (Stahl & Wilson 1994; Nagel 1995), or the cognitive hierarchy of Camerer, Ho & Chong (2004).

    Those of level 0 do not think; those of level k best-respond to rivals of level k − 1, with the lowest of their best bids.
    In a cognitive hierarchy they best-respond to all lower levels, in the proportions of a Poisson distribution, and the
    strategy is that of the whole population. All rounds have the same strategies, and differ by the auctions that are sampled.

    Attributes:
        level: k ≥ 0, whose bids these are; None for 2.
        start: of level 0: `uniform` over all bids that are allowed, taken as `logit-equilibrium` takes them; or `value`, the
            highest bid that is allowed and not above the value.
        hierarchy: τ > 0, the mean of the Poisson distribution; None for bidders who are all of one level.
        auctions: how many fresh auctions are sampled with the strategies for the realised revenue.
    """

    level: int | None = None
    start: str = "uniform"
    hierarchy: float | None = None
    auctions: int = 50_000

    name: ClassVar[str] = "level-k"
    setting: ClassVar[Setting] = Setting()
    continuous: ClassVar[bool] = True
    behaviour: ClassVar[str] = "those of a model of steps of thinking"

    def __post_init__(self) -> None:
        plain_fields(self)
        check_count("auctions", self.auctions, most=MOST_AUCTIONS)
        one_of("start", self.start, STARTS)
        if self.level is not None:
            check_count("level", self.level, least=0, most=MOST_LEVELS)
        if self.hierarchy is not None:
            check_number("hierarchy", self.hierarchy, 1e-3, 100, low="be above 0 and finite")
            if self.level is not None:
                raise AllpayError("level has no effect in a hierarchy, which has all levels: leave it out")

    def learn(self, games: Sequence[Game], seeds: Seeds) -> Outcome:
        def run(game: Game, _: np.uint64) -> Learned:
            return self._thought(game)

        return outcome_of_runs(self, games, seeds, run, self.auctions, None)

    def residual(self, game: Game, strategy: Array) -> float:
        """How far strategies `[groups, values, bids]` are from those of the model, as in `LogitEquilibrium.residual`."""
        return float(np.abs(self._thought(game).strategy - strategy).sum(axis=-1).max() / 2)

    def _thought(self, game: Game) -> Learned:
        """The strategies, and what they leave to gain level by level."""
        payoffs = payoffs_of(game)
        weights = self._weights()
        believed = played = self._unthinking(game)
        gains = [mean_regret(payoffs, averages_of(payoffs, played.mean(axis=1)), played)]
        for k in range(1, len(weights)):
            averages = averages_of(payoffs, believed.mean(axis=1))
            answer = np.zeros(played.shape)
            best, payoff, scratch = np.empty(game.value_levels, np.int64), *np.empty((2, game.value_levels))
            for i in range(len(answer)):
                best_responses(payoffs, i, averages[i], best, payoff, scratch)
                answer[i, np.arange(game.value_levels), best] = 1.0
            share = 1.0 if self.hierarchy is None else weights[k] / weights[: k + 1].sum()
            believed = played = believed + share * (answer - believed)
            gains.append(mean_regret(payoffs, averages_of(payoffs, played.mean(axis=1)), played))
        history = np.full(CHECKPOINTS, np.nan)
        kept = np.array(gains)[np.linspace(0, len(gains) - 1, min(len(gains), CHECKPOINTS)).astype(int)]
        history[: len(kept)] = kept
        return Learned(played, history, max(len(weights) - 1, 1))

    def _weights(self) -> Array:
        """`[levels]` how many are of each level, from 0 up to the highest looked at."""
        if self.hierarchy is None:
            return np.ones((2 if self.level is None else self.level) + 1)
        tau = self.hierarchy
        levels = np.arange(math.ceil(tau + 10 * math.sqrt(tau) + 5))
        logs = levels * math.log(tau) - tau - np.array([math.lgamma(k + 1) for k in levels])
        return np.asarray(np.exp(logs))

    def _unthinking(self, game: Game) -> Array:
        """The strategies `[groups, values, bids]` of level 0."""
        if self.start == "uniform":
            weights, _ = cells(game)
            return np.ascontiguousarray((weights / weights.sum(axis=1, keepdims=True)).transpose(0, 2, 1))
        strategy = np.zeros((len(game.groups), game.value_levels, game.bid_levels))
        for i, values in enumerate(game.value_grids):
            bid = np.searchsorted(game.bid_grid, values * (1 + 1e-12), side="right") - 1
            strategy[i, np.arange(game.value_levels), np.minimum(bid, game.limits[i] - 1)] = 1.0
        return strategy

"""Fictitious play: every bidder best-responds to the average of what bidders have played so far.

All bidders share one belief, so this is the symmetric form; payoffs are exact, no auction is sampled in learning.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numba import njit

from allpay.auction import play
from allpay.errors import AllpayError
from allpay.game import Game, Setting
from allpay.learners.base import CHECKPOINTS, Seeds, each_run
from allpay.outcome import TOLERANCE, Outcome, fields_of, stake
from allpay.payoffs import best_responses, evaluate, fill_cdf, quadrature, regret, terms, tie_averages


@dataclass(frozen=True)
class FictitiousPlay:
    """Fictitious play (Brown 1951) with a strategy per value, on the exact payoffs of the grid.

    At iteration t = 1, 2, … the bidders' average strategy x becomes x + (t^α / Σ_{s≤t} s^α)·(BR(x) − x), where BR is the
    pure best response to rivals who play x, the lowest bid among equals. Rounds differ by their initial beliefs: random
    mixtures, drawn from the flat Dirichlet distribution for each value, which count as one iteration.

    Attributes:
        iterations: the most that a run takes.
        weighting: α ≥ 0. 0 is Brown's process, where all iterations count alike; 1 lets early play fade, which leaves
            a third of the exploitability or less with private values, but can double it with common ones (measured:
            `benchmarks/fictitious_play.py`).
        tolerance: stop a run at the first of its checkpoints at which its exploitability relative to the stake is at most
            this; None runs all iterations.
        auctions: how many fresh auctions are sampled with the learned strategies for the realised revenue.
    """

    iterations: int = 3000
    weighting: float = 1.0
    tolerance: float | None = None
    auctions: int = 50_000

    name: ClassVar[str] = "fictitious-play"
    setting: ClassVar[Setting] = Setting()
    continuous: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise AllpayError(f"iterations must be at least 1: got {self.iterations}")
        if not 0 <= self.weighting < math.inf:
            raise AllpayError(f"weighting must be at least 0 and finite: got {self.weighting:g}")
        if self.tolerance is not None and not self.tolerance > 0:
            raise AllpayError(f"tolerance must be above 0: got {self.tolerance:g}")
        if self.auctions < 1:
            raise AllpayError(f"auctions must be at least 1: got {self.auctions}")

    def learn(self, games: Sequence[Game], seeds: Seeds) -> Outcome:
        parts = {id(game): (terms(game), quadrature(game.bidders)) for game in games}

        def run(game: Game, seed: np.uint64):  # type: ignore[no-untyped-def]
            term, rule = parts[id(game)]
            belief = np.random.default_rng(int(seed)).dirichlet(np.ones(game.bid_levels), len(game.value_grid))
            belief *= np.arange(game.bid_levels) < game.allowed[:, None]
            belief /= belief.sum(axis=1, keepdims=True)
            history = np.full(min(CHECKPOINTS, self.iterations), np.nan)
            taken = _fictitious_play(
                belief,
                term.coefficients,
                term.table,
                game.allowed,
                rule.nodes,
                rule.weights,
                rule.log_binomials,
                self.iterations,
                float(self.weighting),
                -1.0 if self.tolerance is None else self.tolerance * stake(game),
                history,
            )
            strategy = belief[None]
            return strategy, evaluate(game, strategy), play(game, strategy, self.auctions, int(seed)), history, taken

        runs = each_run(run, games, seeds)
        return Outcome(
            games=tuple(games),
            learner=self.name,
            strategy=np.array([[r[0] for r in row] for row in runs]),
            **fields_of([[r[1] for r in row] for row in runs]),
            realised_revenue=np.array([[r[2].revenue.mean() for r in row] for row in runs]),
            realised_highest_bid=np.array([[r[2].highest_bid.mean() for r in row] for row in runs]),
            history=np.array([[r[3] for r in row] for row in runs]),
            iterations=np.array([[r[4] for r in row] for row in runs]),
            auctions=seeds.size * self.auctions,
            tolerance=self.tolerance or TOLERANCE,
        )


@njit(nogil=True, cache=True, error_model="numpy")
def _fictitious_play(  # type: ignore[no-untyped-def]
    strategy, coefficients, table, allowed, nodes, weights, log_binomials, iterations, weighting, tolerance, history
):
    """Turn `strategy` `[values, bids]`, the initial belief, into the average; fill history; return the iterations taken."""
    groups, bids, values = table.shape
    cdf = np.empty(bids + 1)
    averages = np.empty((groups, bids))
    mass = np.zeros(bids)
    best = np.empty(values, np.int64)
    payoff = np.empty(values)
    scratch = np.empty(values)
    for v in range(values):
        for b in range(bids):
            mass[b] += strategy[v, b]
    checkpoint = 0
    total = 1.0
    taken = 0
    for t in range(1, iterations + 1):
        fill_cdf(mass, cdf)
        tie_averages(coefficients, cdf, nodes, weights, log_binomials, averages)
        if (t - 1) * len(history) >= checkpoint * iterations and checkpoint < len(history):
            history[checkpoint] = regret(averages, table, allowed, strategy)
            checkpoint += 1
            if history[checkpoint - 1] <= tolerance:
                break
        weight = float(t) ** weighting
        total += weight
        best_responses(averages, table, allowed, best, payoff, scratch)
        for v in range(values):
            strategy[v, best[v]] += weight
            mass[best[v]] += weight
        taken = t
    for v in range(values):
        for b in range(bids):
            strategy[v, b] /= total
    return taken

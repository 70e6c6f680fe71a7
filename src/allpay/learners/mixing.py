"""What learners share whose bidders mix between bids in every iteration: payoffs of a mixture, and watching the average.

Compiled loops here keep values in the last dimension, `[groups, bids, values]`, so that loops over them run on vector
registers.
"""

from collections.abc import Callable
from heapq import merge

import numpy as np

from allpay.compiled import compiled
from allpay.contest.game import Array
from allpay.contest.payoffs import Payoffs, averages_against, mean_regret, worths
from allpay.outcome import Goal, reached

CHECK = 20
"""With a tolerance, exploitability is looked at every so many iterations."""

Advance = Callable[[int, int], None]
"""Take the iterations after the first number up to the second; add to the sum that the average is taken of."""


def watch(
    advance: Advance,
    total: Array,
    payoffs: Payoffs,
    strategy: Array,
    iterations: int,
    goal: Goal,
    history: Array,
) -> int:
    """Run a learner until its average has reached the goal, or its iterations are spent.

    Args:
        advance: goes on with the run.
        total: `[groups, bids, values]` the weighted sum of the mixtures played so far.
        payoffs: of the game.
        strategy: `[groups, values, bids]` becomes the average.
        iterations: the most to take.
        goal: when to stop.
        history: filled with exploitability at even distances, the last at the end.

    Returns:
        The iterations taken.
    """
    records = [iterations * (k + 1) // len(history) for k in range(len(history))]
    stops = merge(sorted(set(records)), range(CHECK, iterations, CHECK) if goal.tolerance > 0 else ())
    groups, terms, bids, _ = payoffs.table.shape
    cdf, averages = np.empty(bids + 1), np.empty((groups, terms, bids))
    taken = 0
    for stop in stops:
        if stop == taken:
            continue
        advance(taken, stop)
        taken = stop
        gain = _settle(total, strategy, payoffs, cdf, averages)
        ended = reached(goal, gain, payoffs, averages, strategy)
        if stop in records or ended:  # a run that ends between two records has its end in the place of the next
            history[next(k for k, record in enumerate(records) if record >= stop)] = gain
        if ended:
            break
    return taken


@compiled
def _settle(total, strategy, payoffs, cdf, averages):  # type: ignore[no-untyped-def]
    """Fill strategy `[groups, values, bids]` with the average; return its exploitability."""
    groups, values, bids = strategy.shape
    mass = np.zeros((groups, bids))
    for i in range(groups):
        for v in range(values):
            whole = total[i, :, v].sum()
            for b in range(bids):
                strategy[i, v, b] = total[i, b, v] / whole
                mass[i, b] += strategy[i, v, b]
    averages_against(payoffs, mass, cdf, averages)
    return mean_regret(payoffs, averages, strategy)


@compiled
def utilities(mix, payoffs, cdf, averages, u):  # type: ignore[no-untyped-def]
    """Fill u `[groups, bids, values]` with the payoff of each bid against rivals who play `mix` `[groups, bids, values]`."""
    groups, bids, values = mix.shape
    mass = np.empty((groups, bids))
    for i in range(groups):
        for b in range(bids):
            whole = 0.0
            for v in range(values):
                whole += mix[i, b, v]
            mass[i, b] = whole
    utilities_against(mass, payoffs, cdf, averages, u)


@compiled
def utilities_against(mass, payoffs, cdf, averages, u):  # type: ignore[no-untyped-def]
    """The same against rivals who bid with masses `[groups, bids]`."""
    groups, bids, _ = u.shape
    averages_against(payoffs, mass, cdf, averages)
    for i in range(groups):
        for b in range(bids):
            worths(averages[i], payoffs.table[i], payoffs.attitudes[i], b, u[i, b])


@compiled
def softmax(score, allowed, mix, top):  # type: ignore[no-untyped-def]
    """Fill mix `[groups, bids, values]` with e^score over its sum over the bids allowed; top `[values]` is scratch."""
    groups, bids, values = score.shape
    for i in range(groups):
        top[:] = -np.inf
        for b in range(bids):
            for v in range(values):
                if b < allowed[i, v]:
                    top[v] = max(top[v], score[i, b, v])
        for b in range(bids):
            for v in range(values):
                # e^−40 is less than rounding leaves of the sum, and most bids are worse than that before long.
                below = score[i, b, v] - top[v]
                mix[i, b, v] = np.exp(below) if b < allowed[i, v] and below > -40.0 else 0.0
        top[:] = 0.0
        for b in range(bids):
            for v in range(values):
                top[v] += mix[i, b, v]
        for b in range(bids):
            for v in range(values):
                mix[i, b, v] /= top[v]

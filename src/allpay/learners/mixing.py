"""What learners share whose bidders mix between bids in every iteration: payoffs of a mixture, and watching the average.

Compiled loops here keep values in the last dimension, `[bids, values]`, so that loops over them run on vector registers.
"""

from collections.abc import Callable
from heapq import merge

import numpy as np

from allpay.compiled import compiled
from allpay.game import Array
from allpay.learners.base import Payoffs
from allpay.outcome import Goal, reached
from allpay.payoffs import fill_cdf, regret, tie_averages

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
        total: `[bids, values]` the weighted sum of the mixtures played so far.
        payoffs: of the game.
        strategy: `[values, bids]` becomes the average.
        iterations: the most to take.
        goal: when to stop.
        history: filled with exploitability at even distances, the last at the end.

    Returns:
        The iterations taken.
    """
    records = [iterations * (k + 1) // len(history) for k in range(len(history))]
    stops = merge(sorted(set(records)), range(CHECK, iterations, CHECK) if goal.tolerance > 0 else ())
    cdf, averages = np.empty(len(total) + 1), np.empty(payoffs.table.shape[:2])
    taken = 0
    for stop in stops:
        if stop == taken:
            continue
        advance(taken, stop)
        taken = stop
        gain = _settle(total, strategy, *payoffs, cdf, averages)
        ended = reached(goal, gain, averages, payoffs.table, payoffs.allowed, strategy)
        if stop in records or ended:  # a run that ends between two records has its end in the place of the next
            history[next(k for k, record in enumerate(records) if record >= stop)] = gain
        if ended:
            break
    return taken


@compiled
def _settle(  # type: ignore[no-untyped-def]
    total, strategy, coefficients, table, allowed, nodes, weights, log_binomials, cdf, averages
):
    """Fill strategy `[values, bids]` with the average; return its exploitability."""
    mass = np.zeros(len(total))
    for v in range(len(strategy)):
        whole = total[:, v].sum()
        for b in range(len(mass)):
            strategy[v, b] = total[b, v] / whole
            mass[b] += strategy[v, b]
    fill_cdf(mass, cdf)
    tie_averages(coefficients, cdf, nodes, weights, log_binomials, averages)
    return regret(averages, table, allowed, strategy)


@compiled
def utilities(  # type: ignore[no-untyped-def]
    mix, coefficients, table, allowed, nodes, weights, log_binomials, cdf, averages, u
):
    """Fill u `[bids, values]` with the payoff of each bid against rivals who all play `mix` `[bids, values]`."""
    bids, values = mix.shape
    mass = np.empty(bids)
    for b in range(bids):
        whole = 0.0
        for v in range(values):
            whole += mix[b, v]
        mass[b] = whole
    fill_cdf(mass, cdf)
    tie_averages(coefficients, cdf, nodes, weights, log_binomials, averages)
    for b in range(bids):
        u[b] = 0.0
        for g in range(len(coefficients)):
            average = averages[g, b]
            for v in range(values):
                u[b, v] += table[g, b, v] * average


@compiled
def softmax(score, allowed, mix, top):  # type: ignore[no-untyped-def]
    """Fill mix `[bids, values]` with e^score over its sum over the bids allowed; top `[values]` is scratch."""
    bids, values = score.shape
    top[:] = -np.inf
    for b in range(bids):
        for v in range(values):
            if b < allowed[v]:
                top[v] = max(top[v], score[b, v])
    for b in range(bids):
        for v in range(values):
            # e^−40 is less than rounding leaves of the sum, and most bids are worse than that before long.
            below = score[b, v] - top[v]
            mix[b, v] = np.exp(below) if b < allowed[v] and below > -40.0 else 0.0
    top[:] = 0.0
    for b in range(bids):
        for v in range(values):
            top[v] += mix[b, v]
    for b in range(bids):
        for v in range(values):
            mix[b, v] /= top[v]

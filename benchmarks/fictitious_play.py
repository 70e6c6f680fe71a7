"""Fictitious play at the size of a study, its distance from the processor's bound, beside the same rule in plain NumPy and as a
scan of JAX over many runs at once, and what weighting late play more is worth.

Other work on the machine slows the wall clock but hardly the CPU time: both are printed, and ratios are of figures of one run.
"""

import os
import time
from collections.abc import Callable

import numpy as np
from numba import njit

from allpay.contest.game import Game
from allpay.contest.payoffs import evaluate, quadrature, terms
from allpay.learners import FictitiousPlay, run_seeds
from allpay.learners.base import random_profile

DESIGNS, ROUNDS = 50, 10
WEIGHTS = (0.5, 0.6, 0.8, 1.0)


def timed(function: Callable[[], object]) -> tuple[float, float]:
    """Wall-clock and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - cpu


@njit(nogil=True, fastmath=True)
def read(table, times):
    """Read a table over and over, on vector registers: four sums at a time, so that none waits for the last addition."""
    a = b = c = d = 0.0
    quarter = len(table) // 4
    for _ in range(times):
        for i in range(quarter):
            a += table[i]
            b += table[i + quarter]
            c += table[i + 2 * quarter]
            d += table[i + 3 * quarter]
        table[0] = 1e-300 * a  # or the compiler would read it only once
    return a + b + c + d


def exploitability(values: str, weighting: float) -> np.ndarray:
    """`[weights]` mean over rounds."""
    games = [Game.from_weights("prizes", w, 3, values=values) for w in WEIGHTS]
    return (
        FictitiousPlay(weighting=weighting).learn(games, run_seeds(0, len(games), ROUNDS)).exploitability.mean(axis=1)
    )


def rule(xp, game: Game):
    """One iteration of the same process for runs `[runs]` at once, by the arrays of NumPy or JAX: from what each bid is played
    for each value `[runs, values, bids]`, counted, to the best bid of each value `[runs, values]`."""
    n, rules = game.bidders, quadrature(game.bidders)
    nodes, weights = rules.nodes[0], rules.weights[0]
    ranks = np.arange(n)
    chances = weights[:, None] * np.exp(rules.log_binomials)  # of each rank at each node of a tie
    share, paid = chances * np.array(game.mechanism.prizes), chances * np.array(game.mechanism.payments)
    values, costs = game.value_grid, game.cost_grids[0]

    def best(counts):
        mass = counts.sum(axis=1)
        high = xp.cumsum(mass, axis=1) / mass.sum(axis=1, keepdims=True)
        q = high[:, :, None] - (1 - nodes) * (mass / mass.sum(axis=1, keepdims=True))[:, :, None]
        rank = q[..., None] ** (n - 1 - ranks) * (1 - q[..., None]) ** ranks  # [runs, bids, nodes, ranks]
        won, spent = (rank * share).sum(axis=(2, 3)), (rank * paid).sum(axis=(2, 3)) * costs
        return xp.argmax(values[:, None] * won[:, None] - spent[:, None], axis=2)

    return best


def by_numpy(game: Game, start: np.ndarray, iterations: int) -> np.ndarray:
    counts, best = start.copy(), rule(np, game)
    runs, values = np.arange(len(start))[:, None], np.arange(start.shape[1])
    for t in range(1, iterations + 1):
        counts[runs, values, best(counts)] += t
    return counts


def by_jax(game: Game, start: np.ndarray, iterations: int) -> Callable[[], np.ndarray]:
    import jax
    import jax.numpy as jnp

    best = rule(jnp, game)
    runs, values = np.arange(len(start))[:, None], np.arange(start.shape[1])

    @jax.jit
    def whole(counts):
        def step(counts, t):
            return counts.at[runs, values, best(counts)].add(t), None

        return jax.lax.scan(step, counts, jnp.arange(1.0, iterations + 1))[0]

    def run() -> np.ndarray:
        with jax.enable_x64(True):
            return np.asarray(whole(start))

    return run


def beside(runs: int = 20, iterations: int = 3000) -> None:
    """CPU time of an iteration of one run: allpay, NumPy and JAX, from the same beliefs, with what each ends at."""
    game = Game.from_weights("prizes", 0.8, 3)
    seeds = run_seeds(1, 1, runs)
    start = np.stack([random_profile(game, seed)[0] for seed in seeds[0]])
    learner = FictitiousPlay(iterations=iterations, auctions=1)
    scan = by_jax(game, start, iterations)
    learner.learn([game], seeds)  # compile
    scan()
    found = {}
    for name, run in (
        ("allpay", lambda: learner.learn([game], seeds).strategy[0, :, 0]),
        (f"a scan of JAX, {runs} runs at once", scan),
        (f"plain NumPy, {runs} runs at once", lambda: by_numpy(game, start, iterations)),
    ):
        begun = time.process_time()
        counts = run()
        seconds = (time.process_time() - begun) / (runs * iterations)
        revenue = np.mean([evaluate(game, c[None] / c.sum(axis=1, keepdims=True)).revenue for c in counts])
        found[name] = seconds, revenue
    print(f"{'CPU time of an iteration of one run':44}{'µs':>10}{'÷ allpay':>10}{'revenue':>12}")
    for name, (seconds, revenue) in found.items():
        print(f"{name:44}{seconds * 1e6:10.2f}{seconds / found['allpay'][0]:10.1f}{revenue:12.6f}")
    print()


def main() -> None:
    learner = FictitiousPlay()
    games = [Game.from_weights("prizes", float(w), 3) for w in np.linspace(0.5, 1.0, DESIGNS)]
    learner.learn(games[:1], run_seeds(1, 1, 1))  # compile
    wall, cpu = timed(lambda: learner.learn(games, run_seeds(0, DESIGNS, ROUNDS)))
    tenth, seeds = games[:: DESIGNS // 5], run_seeds(0, 5, ROUNDS)
    sampled = timed(lambda: learner.learn(tenth, seeds))[1]
    learned = timed(lambda: FictitiousPlay(auctions=1).learn(tenth, seeds))[1]
    iterations = DESIGNS * ROUNDS * learner.iterations
    per_iteration = cpu / iterations * learned / sampled
    table = terms(games[0]).table.ravel()
    read(table.copy(), 10)
    least = timed(lambda: read(table.copy(), 100_000))[1] / 100_000

    values, bids, cores = len(games[0].value_grid), games[0].bid_levels, os.cpu_count() or 1
    print(f"{DESIGNS} designs × {ROUNDS} rounds, {values} values × {bids} bids, {learner.iterations:,} iterations\n")
    print(f"wall clock                  {wall:8.1f} s (this run had {cpu / wall:.1f} of {cores} cores)")
    print(f"CPU time                    {cpu:8.1f} s: undisturbed, {cpu / cores:.1f} s on {cores} cores")
    print(
        f"of it, in sampling the {learner.auctions:,} auctions of each round's realised revenue: {1 - learned / sampled:.0%}"
    )
    print(f"an iteration, on one core   {per_iteration * 1e6:8.2f} µs")
    print(
        f"Bound: reading the payoff terms ({table.nbytes / 1024:.0f} KiB) once from the second-level cache takes ",
        end="",
    )
    print(f"{least * 1e6:.2f} µs ({table.nbytes / least / 1e9:.0f} GB/s): {per_iteration / least:.1f} times less.\n")

    beside()
    header = "".join(f"{f'w = {w:g}':>10}" for w in WEIGHTS)
    print(f"{'exploitability after ' + format(learner.iterations, ',') + ' iterations':44}{header}")
    for kind in ("private", "common"):
        even, late = exploitability(kind, 0.0), exploitability(kind, 1.0)
        for name, row in (("weighting 0", even), ("weighting 1", late), ("weighting 1 ÷ weighting 0", late / even)):
            digits = ".2f" if "÷" in name else ".5f"
            print(f"{kind + ' values, ' + name:44}" + "".join(f"{x:>10{digits}}" for x in row))


if __name__ == "__main__":
    main()

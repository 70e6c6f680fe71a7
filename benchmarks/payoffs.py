"""Exact expected payoffs of every bid: what they cost as bidders and bids grow, and what enumeration would cost.

Times are CPU milliseconds on one core after compilation, the least of several; ratios are of figures of one run.
"""

import itertools
import math
import time
from collections.abc import Callable

import numpy as np
from numba import njit

from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism
from allpay.contest.payoffs import evaluate, expected_payoffs, exploitability
from allpay.theory import equilibrium
from allpay.verify import on_grid


def least(function: Callable[[], object], repeats: int = 5) -> float:
    """CPU milliseconds: the least of several, each long enough for the clock."""
    times = []
    for _ in range(repeats):
        calls, start = 0, time.process_time()
        while calls == 0 or time.process_time() - start < 0.02:
            function()
            calls += 1
        times.append((time.process_time() - start) / calls)
    return min(times) * 1e3


def enumerated(game: Game, mass: np.ndarray) -> np.ndarray:
    """The same by enumeration of the rivals' bids, vectorised over the bidder's own bids and values."""
    a, p = np.asarray(game.mechanism.prizes), np.asarray(game.mechanism.payments)
    mine = np.arange(game.bid_levels)
    share, paid = np.zeros(game.bid_levels), np.zeros(game.bid_levels)
    sum_a, sum_p = np.concatenate([[0], np.cumsum(a)]), np.concatenate([[0], np.cumsum(p)])
    for profile in itertools.product(range(game.bid_levels), repeat=game.bidders - 1):
        probability = math.prod(mass[bid] for bid in profile)
        above = sum((bid > mine).astype(int) for bid in profile)
        tied = sum((bid == mine).astype(int) for bid in profile) + 1
        share += probability * (sum_a[above + tied] - sum_a[above]) / tied
        paid += probability * (sum_p[above + tied] - sum_p[above]) / tied
    return game.value_grid[:, None] * share - game.costs * paid


@njit
def exponentials(x, count):
    """So many exponential functions, one after another: what a large number of bidders makes the engine do."""
    total = 0.0
    for i in range(count):
        total += math.exp(x - 1e-9 * i)
    return total


def contest(bidders: int, bids: int, prizes: int = 2) -> Game:
    weights = np.linspace(2, 1, prizes)
    return Game(Mechanism.from_weights("prizes", tuple(weights / weights.sum()), bidders), bid_levels=bids)


def main() -> None:
    rng = np.random.default_rng(0)
    print("expected payoffs of all bids, 64 values, two prizes: CPU ms\n")
    print(f"{'bidders':>8}{'101 bids':>12}{'1,001 bids':>12}")
    for n in (3, 10, 100, 1000):
        row = []
        for bids in (101, 1001):
            game, mass = contest(n, bids), rng.dirichlet(np.ones(bids))
            row.append(least(lambda game=game, mass=mass: expected_payoffs(game, mass)))
        print(f"{n:8}{row[0]:12.3f}{row[1]:12.3f}")

    game, mass = contest(3, 101), rng.dirichlet(np.ones(101))
    np.testing.assert_allclose(expected_payoffs(game, mass), enumerated(game, mass), atol=1e-12)
    brute, ours = least(lambda: enumerated(game, mass), 2), least(lambda: expected_payoffs(game, mass))
    print(f"\nenumeration of 101² profiles, n = 3: {brute:.0f} ms, {brute / ours:,.0f} times as long; same to 1e-12")
    print("(at n = 10 it would have 101⁹ profiles)")

    big = contest(1000, 1001, prizes=20)
    strategy = rng.dirichlet(np.full(1001, 0.1), 64)[None]
    one, whole = least(lambda: exploitability(big, strategy)), least(lambda: evaluate(big, strategy))
    exponentials(-1.0, 10)
    single = least(lambda: exponentials(-1.0, 1_000_000)) / 1e6
    panels = np.maximum(np.ceil(strategy[0].mean(axis=0) * big.bidders / 2), 1).sum()
    floor = 8 * panels * 20 * single
    print(
        f"\nn = 1,000, 20 prizes, 64 values × 1,001 bids: exploitability {one:.1f} ms, full evaluation {whole:.1f} ms"
    )
    print(
        f"Bound: its {8 * panels * 20:,.0f} exponential functions alone take {floor:.1f} ms, {one / floor:.1f} times less."
    )
    theory_beside_it(big)


def theory_beside_it(game: Game) -> None:
    """What it takes to say what theory expects of a large contest, and how far its bids are from equilibrium on the grid."""
    found = equilibrium(game)
    assert found is not None
    strategy = on_grid(game, found)
    gain = exploitability(game, strategy)[0]
    theory, one = least(lambda: equilibrium(game)), least(lambda: exploitability(game, strategy))
    print(f"The same by theory: {theory:.1f} ms; exploitability of its bids {one:.1f} ms ({gain:.1e}).")


if __name__ == "__main__":
    main()

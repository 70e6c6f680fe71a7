"""Exact expected payoffs of every bid: what they cost as bidders and bids grow, and what enumeration would cost.

Times are CPU milliseconds on one core after compilation, the least of several; ratios are of figures of one run.
"""

import itertools
import math
import time
from collections.abc import Callable

import numpy as np
from numba import njit

from allpay.contest.auction import play
from allpay.contest.bidder import Bidder
from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism
from allpay.contest.payoffs import _points, evaluate, expected_payoffs, exploitability, payoffs_of, tie_averages
from allpay.contest.success import Highest, Noise, Tullock
from allpay.contest.values import Private, Uniform
from allpay.learners.base import random_profile
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


@njit(error_model="numpy")
def averaged(coefficients, cdf, rule, out, times):
    """Tie averages over and over, for a call from Python costs more than one of them."""
    for _ in range(times):
        cdf[1] += 1e-16  # or the compiler might do it once
        tie_averages(coefficients, cdf, rule[0], rule[1], rule[2], out)


@njit(error_model="numpy")
def multiplied(x, y, passes, times):
    """So many multiplications and additions of numbers in the first-level cache, on vector registers."""
    for _ in range(times):
        for _ in range(passes):
            for i in range(len(x)):
                x[i] = x[i] * y[i] + y[i]


def averages() -> None:
    """Tie averages beside what their multiplications alone take, and what enumeration would look at."""
    print("\ntie averages of 101 bids, 5 prizes, a random mixture: µs in a compiled loop\n")
    print(f"{'bidders':>8}{'µs':>8}{'nodes':>8}{'bound':>8}{'times the bound':>18}")
    mass = np.random.default_rng(0).dirichlet(np.ones(101), 64).mean(axis=0)
    for n in (3, 10, 20, 80, 200, 1000):
        game = contest(n, 101, prizes=min(n, 5))
        parts = payoffs_of(game)
        cdf, out = np.concatenate([[0.0], np.cumsum(mass)]), np.empty((len(parts.coefficients), 101))
        rule = (parts.nodes, parts.weights, parts.log_binomials)
        averaged(parts.coefficients, cdf, rule, out, 1)
        found = least(lambda: averaged(parts.coefficients, cdf, rule, out, 1000))  # noqa: B023
        nodes = 101 * len(parts.nodes[0]) if n <= 16 else len(_points(cdf, n, parts.nodes, parts.weights)[0])
        passes = 2 * min(n, 5) + (n - 5 if n <= 16 else 2 * math.ceil(math.log2(n)))
        x, y = np.zeros(nodes), np.full(nodes, 0.5)
        multiplied(x, y, passes, 1)
        bound = least(lambda: multiplied(x, y, passes, 1000))  # noqa: B023
        print(f"{n:8}{found:8.2f}{nodes:8}{bound:8.2f}{found / bound:18.1f}")
    print("Bound: the multiplications of one power and of Horner's rule at each node, from the first-level cache.")


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
    print(
        f"\nn = 1,000, 20 prizes, 64 values × 1,001 bids: exploitability {one:.1f} ms, full evaluation {whole:.1f} ms"
    )
    theory_beside_it(big)
    averages()
    sampled()


def sampled(bidders: int = 80, auctions: int = 50_000) -> None:
    """What it takes to sample auctions with strategies: of alike and unlike bidders, with luck, all paying and not."""
    first = np.zeros(bidders)
    first[:5] = 0.4, 0.25, 0.15, 0.12, 0.08
    prizes, falling = tuple(first), tuple(np.linspace(1, 0, bidders))
    values = Private(Uniform(0, 1), 64)
    halves = [(Bidder(values), bidders // 2), (Bidder(Private(Uniform(0, 0.7), 64)), bidders - bidders // 2)]
    print(f"\n{auctions:,} sampled auctions of {bidders} bidders, 101 bids: CPU ms\n")
    for name, kind, luck in (
        ("alike", values, Highest()),
        ("two groups", halves, Highest()),
        ("Tullock", values, Tullock(1)),
        ("normal luck", values, Noise("normal", 0.1)),
    ):
        row = []
        for payments in ((1.0,) * bidders, falling):
            game = Game(Mechanism(prizes, payments, success=luck), kind, bid_levels=101)
            strategy = random_profile(game, np.uint64(1))
            row.append(least(lambda game=game, s=strategy: play(game, s, auctions, 1), 3))
        print(f"{name:>12}: all pay {row[0]:6.1f}, payments that fall by rank {row[1]:8.1f}")


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

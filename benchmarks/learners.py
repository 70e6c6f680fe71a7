"""How near to equilibrium each learner on exact payoffs comes, in how much time: the tables of docs/learners.md.

    python benchmarks/learners.py                        # print them
    python benchmarks/learners.py --out docs/learners.md # and write them
    python benchmarks/learners.py --hard                 # only how many hard games the solver solves

Times are CPU time of a run but for the last table, which is about a batch on all cores: wall-clock time, which other work on
the machine makes longer, beside CPU time, which it hardly does.
"""

import argparse
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from os import cpu_count
from pathlib import Path
from typing import Any

import numpy as np

from allpay.contest.bidder import Bidder
from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism, first_price
from allpay.contest.values import Beta, Common, Power, Private, Uniform
from allpay.learners import (
    FictitiousPlay,
    InteriorPoint,
    Learner,
    LogitPlay,
    MultiplicativeWeights,
    RegretMatching,
    learn,
    run_seeds,
)
from allpay.learners.interior_point import ROUNDING
from allpay.outcome import Outcome, stake
from allpay.theory import equilibrium

WEIGHTS = (0.5, 0.6, 0.7, 0.8, 1.0)
SETTINGS = {
    "Private uniform values, linear cost": {"values": "private"},
    "Private uniform values, cost b²": {"values": "private", "cost_power": 2.0},
    "A common value, linear cost": {"values": "common"},
    "A common value, cost b²": {"values": "common", "cost_power": 2.0},
    "A common value, CARA ρ = 2": {"values": "common", "risk_aversion": 2.0},
}
LEARNERS: tuple[Callable[..., Learner], ...] = (
    FictitiousPlay,
    LogitPlay,
    MultiplicativeWeights,
    RegretMatching,
    InteriorPoint,
)
ROUNDS = 3
DESIGNS = 64
LOSSES = (1e-3, 1e-4)


def timed(function: Callable[[], Outcome], repetitions: int = 3) -> tuple[Outcome, float, float]:
    """The outcome, and the least wall-clock and CPU seconds."""
    seconds = []
    for _ in range(repetitions):
        wall, cpu = time.perf_counter(), time.process_time()
        outcome = function()
        seconds.append((time.perf_counter() - wall, time.process_time() - cpu))
    return outcome, *np.min(seconds, axis=0).tolist()


def brief(number: float) -> str:
    """One digit and a power of ten."""
    return f"{number:.0e}".replace("e-0", "e−").replace("e-", "e−")


def accuracy() -> str:
    """A table per setting: a row per learner, a column per weight."""
    lines = []
    for kind in LEARNERS:  # compile
        learn(Game.from_weights("prizes", 0.8, 3, bid_levels=5), kind(iterations=2, auctions=1), 1)
    for title, options in SETTINGS.items():
        lines += [f"### {title}", "", "| learner | " + " | ".join(f"w = {w:g}" for w in WEIGHTS) + " | ms a run |"]
        lines += ["|---|" + "---:|" * (len(WEIGHTS) + 1)]
        for kind in LEARNERS:
            cells, times = [], []
            for w in WEIGHTS:
                game = Game.from_weights("prizes", w, 3, **options)
                found, _, cpu = timed(lambda kind=kind, game=game: learn(game, kind(auctions=1), ROUNDS), 1)
                exact = equilibrium(game)
                assert exact is not None
                error = found.revenue / exact.revenue - 1
                error = error.flat[np.abs(error).argmax()]
                cells.append(f"{brief(found.exploitability.max())}, {error:+.1%}".replace("-", "−"))
                times.append(cpu / ROUNDS * 1e3)
            lines.append(f"| {kind.name} | " + " | ".join(cells) + f" | {min(times):.0f}–{max(times):.0f} |")
        lines.append("")
    return "\n".join(lines)


def reach() -> str:
    """Time a design to a given relative loss, in a batch."""
    lines = ["| learner | bidders | loss ≤ | ms a design | CPU ms a design | iterations | largest loss |"]
    lines += ["|---|" + "---:|" * 6]
    for n in (3, 10):
        prizes = (0.8, 0.2) + (0.0,) * (n - 2)
        games = [Game.from_weights("prizes", prizes, n, bid_levels=64)] * DESIGNS
        seeds = run_seeds(0, DESIGNS, 1)
        payoff = float(InteriorPoint(auctions=1).learn(games[:1], seeds[:1]).payoff[0, 0])
        for kind, options, repetitions in ((RegretMatching, {"iterations": 4000}, 1), (InteriorPoint, {}, 5)):
            for loss in LOSSES:
                tolerance = 0.99 * loss * payoff / stake(games[0])
                learner = kind(tolerance=tolerance, auctions=1, **options)
                found, wall, cpu = timed(
                    lambda learner=learner, games=games, seeds=seeds: learner.learn(games, seeds), repetitions
                )
                largest = (found.exploitability / (found.payoff + found.exploitability)).max()
                reached = "" if largest <= loss else " (not reached)"
                lines.append(
                    f"| {kind.name} | {n} | {brief(loss)} | {wall / DESIGNS * 1e3:.1f} | {cpu / DESIGNS * 1e3:.1f} "
                    f"| {found.iterations.mean():.0f} | {brief(largest)}{reached} |"
                )
    return "\n".join(lines)


DISTRIBUTIONS = (Uniform(), Uniform(0.5, 1), Beta(1, 50), Beta(1, 20), Beta(2, 5), Beta(5, 1), Power(2), Power(0.5))


def hard_games(seed: int) -> Iterator[tuple[str, Game]]:
    """Random games at which a solver may fail: where a path to an equilibrium turns back, or most win next to nothing."""
    rng = np.random.default_rng(seed)

    def some(choices: Sequence[Any]) -> Any:
        return choices[rng.integers(len(choices))]

    def split(ranks: int, n: int) -> tuple[float, ...]:
        return (*np.sort(rng.dirichlet(np.ones(ranks)))[::-1].tolist(), *(0.0,) * (n - ranks))

    for _ in range(8):
        n = int(rng.integers(3, 9))
        prizes, payments = split(int(rng.integers(2, n)), n), np.sort(rng.random(n))[::-1]
        if rng.random() < 0.3:
            payments = rng.permutation(payments)
        payments[0] = 1.0
        values = Common() if rng.random() < 0.35 else Private(some(DISTRIBUTIONS))
        options = {"cost_power": some((1.0, 1.0, 2.0)), "risk_aversion": some((0.0, 0.0, 2.0)), "max_bid": 1.0}
        yield "several prizes, payments by rank", Game(Mechanism(prizes, tuple(payments)), values, **options)
    for n in (10, 15, 20, 30, 50):
        averse = some((0.0, 0.0, 2.0))
        yield "first price, 10 to 50 bidders", Game(first_price(n), Private(some(DISTRIBUTIONS)), risk_aversion=averse)
    for n in (20, 50):
        weight, power, values = some((0.5, 0.6, 0.8, 1.0)), some((1.0, 2.0)), Private(some(DISTRIBUTIONS))
        yield "prizes, 20 and 50 bidders", Game.from_weights("prizes", weight, n, values=values, cost_power=power)
    for _ in range(3):
        n = int(rng.integers(6, 21))
        weights = split(int(rng.integers(2, 6)), n)
        yield (
            "payments, 6 to 20 bidders",
            Game.from_weights("payments", weights, n, values=Private(some(DISTRIBUTIONS))),
        )
    for _ in range(4):
        few, many = int(rng.integers(1, 4)), int(rng.integers(1, 6))
        n, top = few + many, rng.uniform(0.3, 0.9)
        prizes = split(int(rng.integers(1, min(n, 4))), n)
        known = rng.random() < 0.5
        strong = Common() if known else Private(some(DISTRIBUTIONS), 16)
        weak = Common(top) if known else Private(Uniform(0, top), 16)
        payments = np.ones(n) if rng.random() < 0.5 else np.append(1.0, np.sort(rng.random(n - 1))[::-1])
        bidders = [(Bidder(strong), few), (Bidder(weak), many)]
        yield "two groups", Game(Mechanism(prizes, tuple(payments)), bidders, bid_levels=51, max_bid=1.0)


def hard(seeds: Sequence[int]) -> str:
    """How many of the hard games the solver solves, to 1e-10 of the stake, and in how many steps."""
    found: dict[str, list[tuple[float, int, float]]] = {}
    for seed in seeds:
        for kind, game in hard_games(seed):
            outcome, _, cpu = timed(lambda game=game, seed=seed: learn(game, InteriorPoint(auctions=1), 1, seed), 1)
            gain = float(outcome.relative_exploitability[0, 0])
            found.setdefault(kind, []).append((gain, int(outcome.iterations[0, 0]), cpu))
    lines = ["| hard games | solved | median steps | largest gain / stake | CPU s |", "|---|---:|---:|---:|---:|"]
    whole = [run for runs in found.values() for run in runs]
    for kind, runs in [*found.items(), ("all", whole)]:
        gains, steps, cpu = zip(*runs, strict=True)
        solved = sum(gain <= ROUNDING * (1 + 1e-6) for gain in gains)
        lines.append(
            f"| {kind} | {solved} of {len(runs)} | {np.median(steps):.0f} | {max(gains):.0e} | {sum(cpu):.1f} |"
        )
    return "\n".join(lines)


PAGE = """\
# How near to equilibrium each learner comes

Made by `python benchmarks/learners.py --out docs/learners.md`, on {machine}.

`prizes` with weights (w, 1−w, 0), three bidders, 101 bids, 64 private values, each learner as it is without options,
{rounds} rounds. A cell holds the largest exploitability (in units of utility; the prize is worth 1, or uniform on [0, 1])
and the largest error of revenue against the closed form on continuous bids. Where exploitability is next to nothing, the
error that is left is the grid's, not the learner's: with a common value the bid 0 ties with rivals who bid 0, and on some
grids there are several equilibria.

With a common value and w = ½ every learning rule circles, and some do up to w = 0.7: what they bring there is an average
over the circle. `interior-point` finds the equilibrium there too; it is a solver, not a model of how people learn.
`epsilon-greedy` learns from sampled auctions, in a setting of its own, and is not in these tables. The last column is CPU
time, the least and the most over the row.

{accuracy}
## Time to a given loss

64 values, 64 bids, prizes (.8, .2, 0, …), private uniform values, ties broken at random; a batch of {designs} designs, one
round each, every one from another start, on {cores} cores. The loss is 1 − payoff / best-response payoff, exact.
Milliseconds a design are the wall-clock time of the batch over the number of designs (the least of five for
`interior-point`). They hold all that `learn` does, save that one auction is sampled in place of 50,000 (`auctions`).

{reach}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, help="write the page to this file")
    parser.add_argument("--hard", action="store_true", help="only how many hard games the solver solves")
    options = parser.parse_args()
    if options.hard:
        print(hard(range(6)))
        return
    page = PAGE.format(
        machine=f"{cpu_count()} cores ({platform.machine()})",
        rounds=ROUNDS,
        designs=DESIGNS,
        cores=cpu_count(),
        accuracy=accuracy(),
        reach=reach(),
    )
    print(page)
    if options.out is not None:
        options.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()

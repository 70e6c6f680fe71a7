"""How near to equilibrium each learner on exact payoffs comes, in how much time: the tables of docs/learners.md.

    python benchmarks/learners.py                        # print them
    python benchmarks/learners.py --out docs/learners.md # and write them

Times are CPU time of a run but for the last table, which is about a batch on all cores: wall-clock time, which other work on
the machine makes longer, beside CPU time, which it hardly does.
"""

import argparse
import platform
import time
from collections.abc import Callable
from os import cpu_count
from pathlib import Path

import numpy as np

from allpay.contest.game import Game
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
    options = parser.parse_args()
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

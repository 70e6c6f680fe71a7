"""How the cost of an iteration grows with bidders, bids, values, groups and designs.

    python benchmarks/growth.py [--figure FILE]

CPU time of one core, the least of several runs; exponents are slopes of the logarithms, fitted to the upper half of the sizes.
An iteration is one of fictitious play: what every bid is worth against all others, ties included, and a best reply of each
value. Minutes.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

import allpay
from allpay import Bidder, Game, Mechanism, Private, Uniform
from allpay.contest.payoffs import payoffs_of
from allpay.learners.base import goal_of, random_profile
from allpay.learners.fictitious_play import _fictitious_play
from allpay.optimum import find_optimum
from allpay.simplex import sample_ordered_simplex
from allpay.study import run
from allpay.surrogate import fit_surrogate

ITERATIONS = 300
RUNS = 5


class Growth(NamedTuple):
    """What grows, with what, at which sizes; seconds at each."""

    what: str
    by: str
    sizes: list[int]
    seconds: list[float]

    @property
    def exponent(self) -> float:
        """Of the upper half of the sizes."""
        half = len(self.sizes) // 2
        return float(np.polyfit(np.log(self.sizes[half:]), np.log(self.seconds[half:]), 1)[0])


def least(function: Callable[[], object]) -> float:
    """CPU seconds of the fastest of several calls, after one that compiles."""
    function()
    taken = []
    for _ in range(RUNS):
        begun = time.process_time()
        function()
        taken.append(time.process_time() - begun)
    return min(taken)


def iteration(bidders: int = 3, bids: int = 101, values: int = 64, groups: int = 1) -> float:
    """Seconds of an iteration of fictitious play with five prizes, or as many as there are bidders."""
    prizes = np.zeros(bidders)
    prizes[:5] = np.array([0.4, 0.25, 0.15, 0.12, 0.08])[:bidders]
    mechanism = Mechanism(prizes=tuple(prizes / prizes.sum()), payments=(1.0,) * bidders)
    kinds = [(Bidder(Private(Uniform(0, 1 - 0.05 * g), values)), bidders // groups) for g in range(groups)]
    game = Game(mechanism, kinds if groups > 1 else kinds[0][0].values, bid_levels=bids)
    payoffs, start = payoffs_of(game), random_profile(game, np.uint64(1))
    goal, history = goal_of(game, None, -1.0), np.full(8, np.nan)
    return least(lambda: _fictitious_play(start.copy(), payoffs, ITERATIONS, 1.0, goal, history.copy())) / ITERATIONS


def fit(designs: int) -> float:
    """Seconds of an ensemble fitted to so many designs of three prizes, and of the best of it with its set."""
    rng = np.random.default_rng(0)
    weights = sample_ordered_simplex(designs, 3, 3, rng)
    values = 1 - (weights[:, :1] - 0.6) ** 2 + 0.02 * rng.standard_normal((designs, 10))
    return least(lambda: find_optimum(fit_surrogate(weights, values, 0), 3))


def sweep(designs: int) -> float:
    """Seconds of a study's learning, of so many designs with one round each."""
    study = allpay.Study(allpay.DesignSpace("prizes", 3), samples=designs, rounds=1)
    return least(lambda: run(study))


def measured() -> list[Growth]:
    found = []
    for what, by, sizes, cost in (
        ("an iteration", "bidders", [3, 5, 10, 16, 17, 20, 40, 80, 160, 320, 640], lambda n: iteration(bidders=n)),
        ("an iteration", "bids", [26, 51, 101, 201, 401, 801, 1601], lambda n: iteration(bids=n)),
        ("an iteration", "values", [16, 32, 64, 128, 256, 512], lambda n: iteration(values=n)),
        ("an iteration, 24 bidders", "groups", [1, 2, 3, 4, 6, 8], lambda n: iteration(24, groups=n)),
        ("learning", "designs", [5, 10, 20, 40, 80], sweep),
        ("fit and optimum", "designs", [25, 50, 100, 200, 400], fit),
    ):
        found.append(Growth(what, by, sizes, [cost(size) for size in sizes]))
        row = found[-1]
        cells = ", ".join(f"{size}: {1e6 * s:,.1f}" for size, s in zip(row.sizes, row.seconds, strict=True))
        print(f"{row.what}, by {row.by}: exponent {row.exponent:.2f}; µs at {cells}", flush=True)
    return found


def draw(found: list[Growth], path: Path) -> None:
    """Time by size, both in logarithms, with the fitted line."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    for ax, row in zip(figure.subplots(2, 3).flat, found, strict=True):
        half = len(row.sizes) // 2
        unit, told = (1e-6, "µs") if max(row.seconds) < 1e-3 else (1e-3, "ms")
        seconds, line = np.array(row.seconds) / unit, np.array(row.sizes[half:], float)
        middle = np.exp(np.mean(np.log(seconds[half:]))) * (line / np.exp(np.mean(np.log(line)))) ** row.exponent
        ax.loglog(row.sizes, seconds, "o-", color="#0072B2", ms=3.5, lw=1)
        ax.loglog(line, middle, color="#D55E00", lw=1.4, ls=(0, (4, 2)))
        ax.set_title(f"{row.what}: {row.by}$^{{{row.exponent:.2f}}}$", fontsize=8, loc="left")
        ax.set_xlabel(row.by, fontsize=8)
        ax.set_ylabel(f"{told} of one core", fontsize=8)
        shown = row.sizes if len(row.sizes) <= 7 else [3, 10, 40, 160, 640]
        ax.set_xticks(shown, [str(size) for size in shown])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.tick_params(labelsize=7.5)
        ax.grid(alpha=0.25, lw=0.5)
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=200)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--figure", type=Path)
    given = parser.parse_args()
    found = measured()
    if given.figure is not None:
        draw(found, given.figure)


if __name__ == "__main__":
    main()

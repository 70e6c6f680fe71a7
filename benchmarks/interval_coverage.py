"""How often the value's interval holds the truth in spaces of many weights, with the best inside, on an edge and at a corner.

A learner of known truth, whose revenue falls with the square of the distance from the best design (inside and on an edge), or
in a line from a corner, and has noise, is put through `allpay.design`, simple and active. At a corner the best design lies
where samples of many weights seldom come; so the corners are among the designs of every study.

    python benchmarks/interval_coverage.py [--studies 200] [--bidders 3 5 12 80] [--keep FILE] [--minutes 60] [--figure FILE]

A study takes 2 to 15 s of one core. With --keep answers are added to a file, and those that it has are not asked again.

For each case: how often the interval of the value holds the truth, and that of the prediction alone; how often the best design
lies within the ranges of weights that are told; the mean regret; and how often it is said that nothing is known.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple
from zlib import crc32

import numpy as np
from calibration import answered, brought, interval

import allpay
from allpay.contest.game import Game, Setting
from allpay.contest.values import Private
from allpay.learners.base import Seeds
from allpay.outcome import Outcome
from allpay.simplex import vertices

BIDDERS = (3, 5, 12, 80)
PLACES = ("inside", "edge", "corner")
DESIGNS, ROUNDS, NOISE = 50, 10, 0.02
MOST_RANKS = 8
"""So many ranks may carry weight at most: 50 designs say next to nothing of 79 dimensions."""

STEEP = 0.6
"""By how much revenue falls from the best design to the farthest, about."""


def best_of(place: str, ranks: int, bidders: int) -> np.ndarray:
    """`[bidders]` the best design: an average of all corners of the simplex, of the first two, or the first itself."""
    ends = vertices(bidders, ranks)
    return {"inside": ends.mean(axis=0), "edge": ends[:2].mean(axis=0), "corner": ends[0]}[place]


def worth(place: str, weights: np.ndarray, ranks: int) -> np.ndarray:
    """Revenue `[...]` of designs `[..., bidders]`; 1 at the best, and only there."""
    best = best_of(place, ranks, weights.shape[-1])
    apart = weights - best
    if place == "corner":
        return 1 - 0.5 * STEEP * np.abs(apart).sum(axis=-1) + 0.1 * STEEP * (apart**2).sum(axis=-1)
    ends = vertices(weights.shape[-1], ranks) - best
    return 1 - STEEP * (apart**2).sum(axis=-1) / (ends**2).sum(axis=1).max()


@dataclass(frozen=True)
class Known:
    """A learner of known truth: revenue is a function of the design, and noise."""

    name: ClassVar[str] = "known"
    setting: ClassVar[Setting] = Setting(Private(levels=2), bid_levels=3)
    continuous: ClassVar[bool] = False
    place: str = "corner"
    ranks: int = 2

    def learn(self, games: Sequence[Game], seeds: Seeds) -> Outcome:
        true = worth(self.place, np.array([game.mechanism.prizes for game in games]), self.ranks)
        noise = [[np.random.default_rng(int(seed)).standard_normal() for seed in row] for row in seeds]
        revenue = true[:, None] + NOISE * np.array(noise)
        return brought(games, self.name, revenue)


class Case(NamedTuple):
    bidders: int
    place: str
    strategy: str

    @property
    def ranks(self) -> int:
        return min(max(2, self.bidders - 1), MOST_RANKS)

    @property
    def told(self) -> str:
        return f"{self.bidders} | {self.place} | {self.strategy}"


class Answer(NamedTuple):
    """Of one study: whether the value's interval, the prediction's and the ranges hold the truth; the regret; and whether
    nothing is known."""

    value: bool
    prediction: bool
    set: bool
    regret: float
    unknown: bool


def asked(case: Case, number: int) -> Answer:
    """What a study of a case answers."""
    space = allpay.DesignSpace("prizes", case.bidders, case.ranks)
    seed = crc32(f"{case.told} | {number}".encode())
    study = allpay.Study(
        space, Known(case.place, case.ranks), samples=DESIGNS, rounds=ROUNDS, seed=seed, strategy=case.strategy
    )
    found = allpay.design(study).optimum
    true = float(worth(case.place, np.array(found.weights), case.ranks))
    best = best_of(case.place, case.ranks, case.bidders)
    low, high = np.array(found.interval).T
    _, least, most = found.prediction
    return Answer(
        value=found.low <= true <= found.high,
        prediction=least <= true <= most,
        set=bool(np.all((low <= best + 1e-3) & (best <= high + 1e-3))),
        regret=1 - true,
        unknown=found.uncertain,
    )


def report(found: dict[Case, list[Answer]]) -> None:
    print("| bidders | best design | strategy | studies | value | prediction | ranges | regret | unknown |")
    print("|--:|---|---|--:|--:|--:|--:|--:|--:|")
    for case, rows in found.items():
        if rows:
            held = [np.mean([getattr(row, name) for row in rows]) for name in ("value", "prediction", "set")]
            cells = [f"{len(rows)}", *(f"{x:.2f}" for x in held), f"{np.mean([row.regret for row in rows]):.4f}"]
            print(f"| {case.told} | {' | '.join(cells)} | {np.mean([row.unknown for row in rows]):.2f} |")


def draw(found: dict[Case, list[Answer]], path: Path) -> None:
    """For each number of bidders, place and strategy, how often the interval of the value held the truth."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 2.8), layout="constrained")
    colours = {"inside": "#0072B2", "edge": "#009E73", "corner": "#D55E00"}
    for ax, strategy in zip(figure.subplots(1, 2, sharey=True), ("sample", "active"), strict=True):
        ax.axhspan(0.85, 0.95, color="0.92", lw=0)
        ax.axhline(0.9, color="black", lw=0.8, ls=(0, (4, 2)))
        for shift, place in zip((-0.18, 0.0, 0.18), PLACES, strict=True):
            for at, bidders in enumerate(BIDDERS):
                rows = [row.value for row in found.get(Case(bidders, place, strategy), [])]
                if rows:
                    share, (low, high) = np.mean(rows), interval(sum(rows), len(rows))
                    label = place if at == 0 else None
                    error = [[share - low], [high - share]]
                    ax.errorbar(at + shift, share, error, fmt="o", ms=4, color=colours[place], capsize=2, label=label)
        ax.set(
            xticks=range(len(BIDDERS)),
            xticklabels=BIDDERS,
            xlabel="bidders",
            title=f"strategy {strategy}",
            ylim=(0.5, 1.01),
        )
    figure.axes[0].set_ylabel("how often the 90 % interval\nof the value holds the truth")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles, [f"best design {label}" for label in labels], loc="outside lower center", ncols=3, frameon=False
    )
    figure.savefig(path, dpi=200)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--bidders", type=int, nargs="+", default=list(BIDDERS))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--figure", type=Path)
    given = parser.parse_args()
    cases = [Case(n, place, strategy) for n in given.bidders for place in PLACES for strategy in ("sample", "active")]
    found = answered(asked, Answer, cases, range(given.studies), given.processes, given.keep, given.minutes)
    report(found)
    if given.figure is not None:
        draw(found, given.figure)


if __name__ == "__main__":
    main()

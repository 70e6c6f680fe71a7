"""How often the value's interval holds the truth in spaces of many weights, with the best inside, on an edge and at a corner.

A learner of known truth, whose revenue falls with the square of the distance from the best design (inside and on an edge), or
in a line from a corner, and has noise, is put through `allpay.design`, simple and active. At a corner the best design lies
where samples of many weights seldom come; so the corners are among the designs of every study.

    python benchmarks/interval_coverage.py [--studies 200] [--bidders 3 5 12 80] [--keep FILE] [--minutes 60] [--figure FILE]

A study takes 1 to 4 s of one core. With --keep answers are added to a file, and those that it has are not asked again.

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
WHERE = {"inside": "best design inside", "edge": "best design on an edge", "corner": "best design at a corner"}
PLACES = tuple(WHERE)
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

    figure = Figure(figsize=(7.2, 2.6), layout="constrained")
    signs = {"inside": ("#0072B2", "o"), "edge": ("#009E73", "s"), "corner": ("#D55E00", "^")}
    for ax, strategy in zip(figure.subplots(1, 2, sharey=True), ("sample", "active"), strict=True):
        ax.axhspan(0.85, 0.95, color="0.93", lw=0)
        ax.axhline(0.9, color="black", lw=0.8, ls=(0, (4, 2)))
        for shift, place in zip((-0.18, 0.0, 0.18), PLACES, strict=True):
            colour, marker = signs[place]
            for at, bidders in enumerate(BIDDERS):
                rows = [row.value for row in found.get(Case(bidders, place, strategy), [])]
                if rows:
                    share, (low, high) = np.mean(rows), interval(sum(rows), len(rows))
                    label = WHERE[place] if at == 0 else None
                    error = [[share - low], [high - share]]
                    ax.errorbar(
                        *(at + shift, share, error),
                        fmt=marker,
                        ms=4,
                        color=colour,
                        capsize=2,
                        elinewidth=1,
                        label=label,
                    )
        ax.set_xticks(range(len(BIDDERS)), [str(bidders) for bidders in BIDDERS])
        ax.set(xlabel="bidders", ylim=(0.75, 1.0))
        ax.set_title(
            {"sample": "designs drawn", "active": "designs chosen one after another"}[strategy], loc="left", fontsize=8
        )
        ax.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("share of studies whose 90 % interval\nof the value holds the truth")
    for ax in figure.axes:
        for text in (ax.xaxis.label, ax.yaxis.label, *ax.get_xticklabels(), *ax.get_yticklabels()):
            text.set_fontsize(8)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
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

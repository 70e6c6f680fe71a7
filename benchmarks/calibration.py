"""How often the optimum's intervals hold the truth: synthetic curves with known optimum, simulated, fitted and answered.

Each curve is a revenue as a function of w for (w, 1−w, 0), known exactly, seen at 50 random designs through 10 noisy rounds
each; the noise's standard deviation is log-uniform from .003 to .05. Revenues are near 1, since none is below 0. Two numbers
are to come near the confidence asked for: how often the interval of weights holds the best one, and how often the interval of
the value holds the true value of the weights chosen. One number of `find_optimum`, 1.2 for what all members of an ensemble
have in common, was chosen by these curves with the seeds 1001 to 1378; the default seeds are others.

What to expect. An optimum at an end of the range is held every time the slope is seen at all, for no sampling error moves it
inwards; only an optimum inside tests the interval's width, so it is counted apart. On a flat curve every weight is a best
one: counted is how often none is told from another.

    python benchmarks/calibration.py [--curves 350] [--first 0]      6 to 10 minutes on 2 cores

That is the fit alone. What a user gets is the answer of `allpay.design`, whose value is measured by fresh rounds, and that is
put to the test by a learner of known truth, whose revenue is a curve and noise:

    python benchmarks/calibration.py --design 200 [--only jump kink …] [--keep FILE] [--figure docs/calibration.png]

A study takes 1 to 8 s of one core. With --keep answers are added to a file, and those that it has are not asked again.

For each case: how often the interval of the value holds the truth, and that of the prediction; how often the set holds the
best weight (of many ranks, of the first); how often it is said to be flat, or unknown; and the mean regret.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from zlib import crc32

import numpy as np

import allpay
from allpay.contest.game import Game, Setting
from allpay.contest.values import Private
from allpay.optimum import find_optimum
from allpay.outcome import Outcome
from allpay.simplex import candidates, sample_ordered_simplex
from allpay.surrogate import fit_surrogate

DESIGNS, ROUNDS, CONFIDENCE = 50, 10, 0.9

GRID = candidates(3, 2, 5001)[:, 0]
RISK_AVERSE = np.polyfit([0.5, 0.6, 0.8, 1.0], [0.8965, 0.9013, 0.8304, 0.6526], 3)  # prizes, common value, CARA ρ = 2

Curve = Callable[[np.ndarray], np.ndarray]


def peak(rng: np.random.Generator) -> Curve:
    centre, height = rng.uniform(0.55, 0.95), log_uniform(rng, 0.3, 3)
    return lambda w: -height * (w - centre) ** 2


def flat_peak(rng: np.random.Generator) -> Curve:
    centre, height = rng.uniform(0.55, 0.95), log_uniform(rng, 5, 50)
    return lambda w: -height * (w - centre) ** 4


def risk_averse(rng: np.random.Generator) -> Curve:
    return lambda w: np.polyval(RISK_AVERSE, w)


def waves(rng: np.random.Generator) -> Curve:
    size, phase = 0.1 * rng.normal(size=4) / np.arange(1, 5) ** 1.5, rng.uniform(0, 2 * np.pi, 4)
    return lambda w: sum(size[k] * np.cos(1.4 * (k + 1) * np.pi * (w - 0.5) + phase[k]) for k in range(4))


def line(rng: np.random.Generator) -> Curve:
    slope = log_uniform(rng, 0.05, 1) * rng.choice([-1, 1])
    return lambda w: slope * w


def levelling_off(rng: np.random.Generator) -> Curve:
    rate, end = log_uniform(rng, 2, 12), rng.choice([0.5, 1.0])
    return lambda w: -0.3 * np.exp(-rate * (0.5 - np.abs(w - end)))


def flat(rng: np.random.Generator) -> Curve:
    return np.zeros_like


LEVEL = 2.0
"""Added to every curve: nobody is paid to bid, so the program takes a value below 0 for impossible."""

FAMILIES = (peak, flat_peak, risk_averse, waves, line, levelling_off, flat)


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def one(seed: int) -> tuple[str, bool, bool, bool, float]:
    """The family, whether the best w is inside, whether the interval of the weights holds it, whether the value's does, and the
    width."""
    rng = np.random.default_rng([seed, 20220914])
    family = FAMILIES[seed % len(FAMILIES)]
    shape, noise = family(rng), log_uniform(rng, 0.003, 0.05)

    def curve(w: np.ndarray) -> np.ndarray:
        return LEVEL + shape(w)

    weights = sample_ordered_simplex(DESIGNS, 3, 2, rng)
    values = curve(weights[:, 0])[:, None] + noise * rng.standard_normal((DESIGNS, ROUNDS))
    fitted, best = fit_surrogate(weights, values, seed), GRID[np.argmax(curve(GRID))]
    found = find_optimum(fitted, 3, 2, confidence=CONFIDENCE)
    low, high = found.interval[0]
    held = (
        found.undecided if family is flat else bool(low - 5e-4 <= best <= high + 5e-4)
    )  # half a step of the candidates
    true = float(curve(np.array(found.weights[:1]))[0])
    return family.__name__, bool(0.5 < best < 1), held, found.low <= true <= found.high, found.fraction


# The answer of a whole study ------------------------------------------------------------------------------------------

TRUTHS: dict[str, Curve] = {
    "border": lambda u: 1 + 0.1 * np.exp(-(1 - u) / 0.02),
    "kink": lambda u: 1 - 0.4 * np.abs(u - 0.73),
    "jump": lambda u: 1 + 0.3 * (u - 0.5) - 0.12 * (u > 0.7),
    "flat": np.ones_like,
    "line": lambda u: 1 + 0.2 * (u - 0.5),
    "peak": lambda u: 1 - (u - 0.7) ** 2,
    "two peaks": lambda u: 1 + 0.1 * (_bell(u, 0.6, 0.03) + _bell(u, 0.9, 0.03)),
    "spike": lambda u: 1 + 0.15 * _bell(u, 0.73, 0.01),
    "two kinks": lambda u: 1 - 0.5 * np.minimum(np.abs(u - 0.62), np.abs(u - 0.88) + 0.01),
    "plateau, jump": lambda u: 1 + 0.1 * (u > 0.8) - 0.2 * np.maximum(u - 0.8, 0),
    "oscillation": lambda u: 1 + 0.06 * np.sin(16 * np.pi * (u - 0.5)) + 0.05 * u,
    # held back: written after the rules were, and not used to choose any number of theirs
    "cusp": lambda u: 1 - 0.3 * np.sqrt(np.abs(u - 0.81)),
    "saw": lambda u: 1 + 0.1 * ((7 * (u - 0.5)) % 1) - 0.05 * u,
    "both ends": lambda u: 1 + 0.08 * np.exp(-(u - 0.5) / 0.03) + 0.1 * np.exp(-(1 - u) / 0.015),
    "shelves": lambda u: 1 + 0.04 * np.tanh((u - 0.6) / 0.008) + 0.04 * np.tanh((u - 0.85) / 0.008) - 0.1 * u,
    "steep rise": lambda u: 1 + 0.3 * np.maximum(u - 0.56, 0) / 0.04 * np.exp(-np.maximum(u - 0.56, 0) / 0.04),
}
"""Revenue over u from ½ to 1, the place of the first weight between the least and the most that it can be."""

HELD_BACK = ("cusp", "saw", "both ends", "shelves", "steep rise")

SHAPES = {
    "smooth": ("line", "peak", "two peaks", "oscillation", "spike"),
    "kinked": ("kink", "two kinks", "cusp", "steep rise"),
    "steep at a border": ("border", "both ends"),
    "with a jump": ("jump", "plateau, jump", "saw", "shelves"),
    "flat": ("flat",),
    "held back": HELD_BACK,
}
"""Which curves are of what shape; those held back are counted twice."""


def _bell(u: np.ndarray, centre: float, width: float) -> np.ndarray:
    return np.exp(-0.5 * ((u - centre) / width) ** 2)


NOISES: dict[str, Callable[[np.random.Generator], float]] = {
    "normal": lambda rng: rng.standard_normal(),
    "skewed": lambda rng: rng.exponential() - 1,
    "skewed down": lambda rng: 1 - rng.exponential(),
    "heavy": lambda rng: rng.standard_t(3) / 3**0.5,
}
"""Noise of variance 1; `uneven` beside these is normal, twelve times as much at one end as at the other."""


@dataclass(frozen=True)
class Known:
    """A learner of known truth: its revenue is a curve and noise.

    Attributes:
        curve: one of `TRUTHS`.
        noise: the standard deviation of a round.
        kind: one of `NOISES`, or `uneven`.
    """

    name: ClassVar[str] = "known"
    setting: ClassVar[Setting] = Setting(Private(levels=2), bid_levels=3)
    continuous: ClassVar[bool] = False
    curve: str = "peak"
    noise: float = 0.02
    kind: str = "normal"

    def learn(self, games: Sequence[Game], seeds: np.ndarray) -> Outcome:
        u = np.array([place(game.mechanism.prizes) for game in games])
        revenue = TRUTHS[self.curve](u)[:, None] + np.array(
            [
                [self.draw(at, np.random.default_rng(int(seed))) for seed in row]
                for at, row in zip(u, seeds, strict=True)
            ]
        )
        return brought(games, self.name, revenue)

    def draw(self, u: float, rng: np.random.Generator) -> float:
        if self.kind == "uneven":
            return self.noise * float(np.exp(5 * (u - 0.75)) * rng.standard_normal())
        return self.noise * float(NOISES[self.kind](rng))


def brought(games: Sequence[Game], learner: str, revenue: np.ndarray) -> Outcome:
    """The outcome of a learner of known truth that says what every round brings, `[games, rounds]`, and nothing else."""
    none, bidders = np.zeros(revenue.shape), games[0].bidders
    strategy = np.zeros((*revenue.shape, 1, 2, 3))
    strategy[..., 0] = 1
    return Outcome(
        games=tuple(games),
        learner=learner,
        strategy=strategy,
        revenue=revenue,
        highest_bid=revenue / bidders,
        realised_revenue=revenue,
        realised_highest_bid=revenue / bidders,
        exploitability=none,
        payoff=none,
        distance=none,
        history=none[..., None],
        iterations=np.ones(revenue.shape, np.int64),
        auctions=0,
    )


def place(weights: Sequence[float]) -> float:
    """u of a design of all ranks but the last."""
    least = 1 / (len(weights) - 1)
    return 0.5 + 0.5 * (weights[0] - least) / (1 - least)


@dataclass(frozen=True)
class Case:
    curve: str
    bidders: int = 3
    designs: int = 50
    rounds: int = 10
    noise: float = 0.02
    kind: str = "normal"
    strategy: str = "sample"

    @property
    def size(self) -> str:
        return f"{self.designs} × {self.rounds}" + (", active" if self.strategy == "active" else "")

    @property
    def told(self) -> str:
        """As a row of the table begins."""
        noise = f"{self.noise:g}" + ("" if self.kind == "normal" else f", {self.kind}")
        return f"{self.curve} | {self.bidders} | {self.size} | {noise}"

    @property
    def range(self) -> float:
        """From the least to the most that a design is worth."""
        return float(np.ptp(TRUTHS[self.curve](np.linspace(0.5, 1, 100_001))))

    def seed(self, number: int) -> int:
        """Of its study of that number: no two cases share their noise, so that their figures are independent."""
        return crc32(f"{self.told} | {number}".encode())


CASES = (
    *(Case(curve) for curve in TRUTHS),
    *(Case(curve, strategy="active") for curve in TRUTHS),
    *(
        Case(curve, designs=12)
        for curve in ("jump", "kink", "border", "two peaks", "spike", "flat", "oscillation", "cusp")
    ),
    *(Case(curve, designs=5) for curve in ("jump", "kink", "two peaks", "flat", "line", "oscillation", "peak")),
    *(
        Case(curve, noise=0.002)
        for curve in ("jump", "kink", "border", "two kinks", "plateau, jump", "oscillation", "saw")
    ),
    *(Case(curve, bidders=6) for curve in ("jump", "kink", "border", "flat", "peak", "oscillation", "line", "cusp")),
    *(Case(curve, bidders=6, strategy="active") for curve in ("jump", "kink", "both ends")),
    *(Case(curve, designs=20, rounds=2, kind="skewed") for curve in ("jump", "peak", "flat")),
    *(Case(curve, designs=30, rounds=2, kind="skewed down") for curve in ("jump", "steep rise")),
    *(Case(curve, kind="uneven") for curve in ("jump", "peak", "flat")),
    *(Case(curve, kind="heavy", rounds=5) for curve in ("kink", "flat")),
    Case("jump", designs=100, rounds=30),
    Case("oscillation", designs=20, rounds=3),
)


class Answer(NamedTuple):
    """Of one study: whether the value's interval, the prediction's and the set hold the truth; whether it is said to be flat,
    or unknown; the regret as a part of the best; and the share of designs in the set."""

    value: bool
    prediction: bool
    set: bool
    flat: bool
    unknown: bool
    regret: float
    fraction: float


def asked(case: Case, number: int) -> Answer:
    """What a study of a case answers."""
    space = allpay.DesignSpace("prizes", bidders=case.bidders)
    learner, seed = Known(case.curve, case.noise, case.kind), case.seed(number)
    study = allpay.Study(space, learner, samples=case.designs, rounds=case.rounds, seed=seed, strategy=case.strategy)
    found = allpay.design(study).optimum
    u = np.linspace(0.5, 1, 100_001)
    curve = TRUTHS[case.curve]
    best, most = u[curve(u).argmax()], float(curve(u).max())
    true = float(curve(np.array([place(found.weights)]))[0])
    rest = [0.0] * (case.bidders - 1)
    low, high = (place([end, *rest]) for end in found.interval[0])
    inside = low - 5e-4 <= best <= high + 5e-4
    _, least, highest = found.prediction
    return Answer(
        value=found.low <= true <= found.high,
        prediction=least <= true <= highest,
        set=high - low > 0.4 if case.curve == "flat" else bool(inside),
        flat=found.flat,
        unknown=found.uncertain,
        regret=1 - true / most,
        fraction=found.fraction,
    )


def answered(
    ask: Callable[[Any, int], Any],
    kind: type,
    cases: Sequence[Any],
    numbers: Sequence[int],
    processes: int,
    kept: Path | None,
    minutes: float,
) -> dict[Any, list[Any]]:
    """The answers to each case, of its studies with these numbers and of those that a file has; the former are asked, and added
    to the file, unless it has them already.

    Args:
        ask: gives the answer to a case and a number; a function of a module, for other processes to find it.
        kind: of an answer, a named tuple.
        cases: each with a text `told`.
        numbers: of the studies of each case.
        processes: how many ask.
        kept: the file, if there is one.
        minutes: after which no further studies are begun.
    """
    answers: dict[tuple[str, int], Any] = {}
    if kept is not None and kept.exists():
        rows = (json.loads(line) for line in kept.read_text().splitlines())
        answers = {(row.pop("case"), row.pop("number")): kind(**row) for row in rows}
    missing = [(case, n) for n in numbers for case in cases if (case.told, n) not in answers]
    end = time.monotonic() + 60 * minutes
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for at in range(0, len(missing), len(cases)):
            if time.monotonic() > end:
                break
            asked = missing[at : at + len(cases)]
            for (case, number), answer in zip(asked, pool.map(ask, *zip(*asked, strict=True)), strict=True):
                answers[case.told, number] = answer
                if kept is not None:
                    with kept.open("a") as file:
                        file.write(json.dumps({"case": case.told, "number": number, **answer._asdict()}) + "\n")
    return {case: [answer for (told, _), answer in answers.items() if told == case.told] for case in cases}


def whole(
    studies: int,
    first: int,
    only: Sequence[str],
    processes: int,
    kept: Path | None,
    minutes: float,
    figure: Path | None,
) -> None:
    """Print a row for each case. Answers are added to a file, if one is given, and those that it has are not asked again."""
    cases = [case for case in CASES if not only or case.curve in only]
    found = answered(asked, Answer, cases, range(first, first + studies), processes, kept, minutes)
    report(found)
    if figure is not None:
        draw(found, figure)


def report(found: dict[Case, list[Answer]]) -> None:
    """A row for each case, and for each shape of curves and strategy together."""
    print("allpay.design with a learner of known truth, 90 % intervals")
    print(
        "| curve | n | designs × rounds | noise | studies | value | prediction | set | flat | unknown | regret | in the set |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for case, rows in found.items():
        if rows:
            print(f"| {case.told} | {_row(rows)} |")
    print("\n| curves | strategy | studies | value | prediction | set | flat | unknown | regret | in the set |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for shape, curves in {**SHAPES, "all": tuple(TRUTHS)}.items():
        for strategy in ("sample", "active"):
            rows = [row for case in found if case.curve in curves and case.strategy == strategy for row in found[case]]
            if rows:
                print(f"| {shape} | {strategy} | {_row(rows)} |")
    plain = [answer for case in found if case.range > 4 * case.noise / case.rounds**0.5 for answer in found[case]]
    flat = sum(answer.flat for answer in plain)
    print(f"\nsaid to be flat where the range exceeds four standard errors of a design's mean: {flat} of {len(plain)}")


def interval(held: int, count: int) -> tuple[float, float]:
    """Within which the true share lies with 95 % confidence (Wilson 1927)."""
    from scipy.stats import binomtest

    low, high = binomtest(held, count).proportion_ci(0.95, "wilson")
    return float(low), float(high)


def draw(found: dict[Case, list[Answer]], path: Path) -> None:
    """For each shape of curves and strategy, how often the interval of the value and the set of designs held the truth."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.3), layout="constrained")
    shapes = {**SHAPES, "all": tuple(TRUTHS)}
    panels = (("value", "interval of the value"), ("set", "set of designs holds the best"))
    for ax, (name, title) in zip(figure.subplots(1, 2, sharex=True, sharey=True), panels, strict=True):
        ax.axvline(CONFIDENCE, color="black", lw=0.8, ls=(0, (4, 2)), label="as asked for")
        for shift, strategy, colour, marker in ((-0.15, "sample", "#0072B2", "o"), (0.15, "active", "#D55E00", "^")):
            for at, curves in enumerate(shapes.values()):
                rows = [
                    getattr(row, name)
                    for case, answers in found.items()
                    if case.curve in curves and case.strategy == strategy
                    for row in answers
                ]
                if rows:
                    share, ends = np.mean(rows), interval(sum(rows), len(rows))
                    label = {"sample": "designs drawn", "active": "active"}[strategy] if at == 0 else None
                    ax.plot(ends, [at + shift] * 2, color=colour, lw=1.2)
                    ax.plot(share, at + shift, marker, color=colour, ms=5, label=label)
        ax.set(xlim=(0.5, 1.01), title=title, xlabel="share of studies")
        ax.set_yticks(range(len(shapes)), shapes)
        ax.spines[["top", "right"]].set_visible(False)
    figure.axes[0].invert_yaxis()
    figure.axes[0].legend(frameon=False, fontsize=8, loc="lower left")
    figure.savefig(path, dpi=200, metadata={"Software": None})


def _row(answers: Sequence[Answer]) -> str:
    *shares, regret, fraction = np.array(answers, float).mean(axis=0)
    return " | ".join([str(len(answers)), *(f"{share:.2f}" for share in shares), f"{regret:.2%}", f"{fraction:.0%}"])


# The fit alone ---------------------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--curves", type=int, default=350)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--figure", type=Path, default=None, help="draw the shares of whole studies into this file")
    parser.add_argument(
        "--design", type=int, default=0, metavar="STUDIES", help="whole studies a case, instead of fits"
    )
    parser.add_argument("--only", nargs="*", default=(), choices=TRUTHS, help="the curves of these studies; else all")
    parser.add_argument("--processes", type=int, default=2, help="processes for studies")
    parser.add_argument("--keep", type=Path, help="a file of answers of studies, one a line, to go on with")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="begin no further round of studies after these"
    )
    args = parser.parse_args()
    if args.design:
        whole(args.design, args.first, args.only, args.processes, args.keep, args.minutes, args.figure)
        return
    start = time.perf_counter()
    rows = [one(seed) for seed in range(args.first, args.first + args.curves)]
    names, inside = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    figures, sloped = np.array([row[2:] for row in rows], float), names != "flat"

    def show(title: str, chosen: np.ndarray) -> None:
        held, value, share = figures[chosen].mean(axis=0)
        print(f"{title:28} {chosen.sum():6d} {held:8.1%} {value:8.1%} {share:12.1%}")

    print(
        f"{CONFIDENCE:.0%} intervals, {DESIGNS} designs × {ROUNDS} rounds, seeds {args.first} to {args.first + args.curves - 1}"
    )
    print(f"{'truth held':28} curves  weights    value  of all designs")
    for family in FAMILIES[:-1]:
        show(family.__name__, names == family.__name__)
    groups = {
        "optimum inside the range": sloped & inside,
        "optimum at an end": sloped & ~inside,
        "all that are not flat": sloped,
    }
    for name, chosen in groups.items():
        show(name, chosen)
    show("flat: none told apart", ~sloped)
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()

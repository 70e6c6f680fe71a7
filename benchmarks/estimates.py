"""How near estimated values come to the true ones, how often their bands hold, and what the advice that follows loses.

Contests are made up with known values, estimated as `allpay estimate` does, and the best split by theory under the estimate is
held against the best under the truth.

    python benchmarks/estimates.py [--seeds 50] [--only beta varied …] [--resamples 100]

A seed takes about 6 s of one core with 100 resamples. For each world: the median of the estimate's relative error over seeds,
and the median of its size, at quantiles .1, .3, .5, .7, .9; the share of bands of 90 % that hold the truth at each, and at all
quantiles from .05 to .95 together; and the share of seeds whose recommended split loses at most .5 % of the best revenue.

    python benchmarks/estimates.py --groups [--seeds 20] [--resamples 50]
    python benchmarks/estimates.py --luck [--seeds 20] [--resamples 50]

do the same for two bidders of unlike groups, 500 contests, and for luck that ranks tell: Tullock contests of two groups whose
values are commonly known, 500 contests, and private values with normal noise.

    python benchmarks/estimates.py --power [--seeds 40] [--resamples 40]

finds the power of the cost of bids from contests that differ in prizes or bidders, and beside the scale of normal noise.

    python benchmarks/estimates.py --alarms [--seeds 50]

counts how often "Do not use these values" is said of values under the power of cost that made the bids, and under others.

    python benchmarks/estimates.py --rounded [--seeds 20] [--resamples 40]

does with bids that were rounded what `--power` does, and tells how near values come at the true power.

    python benchmarks/estimates.py --few [--seeds 40] [--resamples 100]

tells how often bands hold that come from few contests.

    python benchmarks/estimates.py --bound

prints how precise any estimate from 400 contests of five can be at most (Cramér–Rao), for whoever knows that values are from a
Beta distribution, and its highest value too or not; and how precise Tullock's r can be at most, in the contests of `--luck`.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from allpay import (
    Beta,
    Bidder,
    Common,
    DesignSpace,
    FictitiousPlay,
    Mechanism,
    Private,
    Setting,
    Tullock,
    Uniform,
    equilibrium,
    learn,
)
from allpay.contest.game import Game
from allpay.contest.preferences import PowerCost
from allpay.contest.success import Noise
from allpay.contest.values import Curve, Distribution, Lognormal
from allpay.estimate import values as estimating
from allpay.estimate.conditions import Condition, Kind, spread
from allpay.estimate.generate import past_contests
from allpay.estimate.power import Sought
from allpay.estimate.values import LEVELS, EstimatedValues, estimate_groups, estimate_values
from allpay.estimate.with_luck import estimate_with_luck
from allpay.exact import best_in_theory, objective_at

TOLD = [LEVELS.index(q) for q in (0.1, 0.3, 0.5, 0.7, 0.9)]
PRIZES = (0.5, 0.3, 0.2)


@dataclass(frozen=True)
class World:
    values: Distribution
    bidders: tuple[int, ...] = (5,)
    presence: float = 1.0

    def games(self) -> list[Game]:
        setting = Setting(Private(self.values), cost_power=2.0, attendance=self.presence)
        return [setting.game(Mechanism((*PRIZES, *[0.0] * (n - 3)), (1.0,) * n)) for n in self.bidders]


WORLDS = {
    "beta": World(Beta(2, 3)),
    "varied": World(Beta(2, 3), (3, 4, 5, 6, 7, 8), 0.7),
    "curve": World(Curve((0.0, 0.0, 0.1, 0.7, 0.75, 0.8, 1.0))),
    "lognormal": World(Lognormal(0.0, 0.5, 5.0)),
    "uniform": World(Uniform(0.3, 1.0)),
}


def lost(found: EstimatedValues, values: Distribution, bidders: int = 5, ranks: int = 3) -> float:
    """What the split that is best under the estimate loses of the best under the truth."""
    space = DesignSpace("prizes", bidders, ranks)
    true, guess = (Setting(Private(v), cost_power=2.0) for v in (values, found.distribution))
    best, chosen = best_in_theory(space, true), best_in_theory(space, guess)
    assert best is not None
    assert chosen is not None
    value = float(objective_at(space, true)(np.array([chosen.weights]))[0][0])
    return max(0.0, 1 - value / best.value)


def studied(world: World, seeds: int, resamples: int) -> Iterator[tuple[np.ndarray, np.ndarray, float, str]]:
    truth = world.values.quantile(np.array(LEVELS))
    for seed in range(seeds):
        contests = past_contests(world.games(), 400, seed=100 + seed)
        found = estimate_values(contests, cost=PowerCost(2), resamples=resamples, seed=seed)
        held = (np.array(found.low) <= truth) & (truth <= np.array(found.high))
        yield found.values / truth - 1, held, lost(found, world.values), found.family


UNLIKE = {"uniform(0,1)": Uniform(0.0, 1.0), "uniform(0,0.5)": Uniform(0.0, 0.5)}


def groups(seeds: int, resamples: int) -> None:
    """Two bidders whose values are from unlike distributions; the winner takes all."""
    rules = Mechanism((1.0, 0.0), (1.0, 1.0))
    game = Game(rules, [(Bidder(Private(values)), 1) for values in UNLIKE.values()])
    at = np.array([LEVELS[k] for k in TOLD])
    print("| group | steps | seeds | median error at .1 .3 .5 .7 .9 | median size | bands hold |")
    print("|---|--:|--:|---|---|---|")
    for steps in (0.0, 0.1):  # parts of the mean bid
        rows = []
        for seed in range(seeds):
            past = past_contests(game, 500, seed=100 + seed)
            step = steps * float(past.bid.mean())
            past = replace(past, bid=np.round(past.bid / step) * step) if step else past
            rows.append(estimate_groups(past, resamples=resamples, seed=seed).parts)
        for k, (name, values) in enumerate(UNLIKE.items()):
            truth = values.quantile(at)
            errors = np.array([parts[k].values[TOLD] for parts in rows]) / truth - 1
            ends = [(np.array(parts[k].low)[TOLD], np.array(parts[k].high)[TOLD]) for parts in rows]
            held = np.mean([(low <= truth) & (truth <= high) for low, high in ends], axis=0)
            cells = [
                *(name, f"{steps:g}", str(seeds), " ".join(f"{x:+.1%}" for x in np.median(errors, axis=0))),
                *(" ".join(f"{x:.1%}" for x in np.median(abs(errors), axis=0)), " ".join(f"{x:.2f}" for x in held)),
            ]
            print(f"| {' | '.join(cells)} |", flush=True)


def luck(seeds: int, resamples: int) -> None:
    """Tullock contests of two groups with commonly known values; r and values are found together, or values with r given."""
    print(
        "| groups | luck | seeds | r: median error | within .1 | band holds | values: median error | within 10 % | band holds |"
    )
    print("|---|---|--:|---|---|---|---|---|---|")
    for given in GROUPS:
        n = sum(count for _, count in given)
        rules = Mechanism((1.0, *[0.0] * (n - 1)), (1.0,) * n, success=Tullock(1))
        game = Game(rules, [(Bidder(Common(value)), count) for value, count in given])
        truth = np.array([value for value, _ in given])
        for asked in ("tullock", "tullock(1)"):
            numbers, numbers_held, errors, held = [], [], [], []
            for seed in range(seeds):
                contests = past_contests(game, 500, seed=100 + seed)
                found = estimate_with_luck(contests, asked, resamples=resamples, seed=seed)
                assert found.luck is not None
                assert found.luck.band is not None
                numbers.append(found.luck.number - 1)
                numbers_held.append(found.luck.band[0] <= 1 <= found.luck.band[1])
                errors.append([part.values[0] for part in found.parts] / truth - 1)
                held.append(
                    [
                        p.low[0] * (1 - 1e-3) <= v <= p.high[0] * (1 + 1e-3)
                        for p, v in zip(found.parts, truth, strict=True)
                    ]
                )
            sizes, values = np.abs(numbers), np.abs(errors)
            cells = [
                *(" and ".join(f"{count} of {value:g}" for value, count in given), asked, str(seeds)),
                *(f"{np.median(sizes):.3f}", f"{np.mean(sizes <= 0.1):.2f}", f"{np.mean(numbers_held):.2f}"),
                " ".join(f"{x:.1%}" for x in np.median(values, axis=0)),
                " ".join(f"{x:.2f}" for x in np.mean(values <= 0.1, axis=0)),
                " ".join(f"{x:.2f}" for x in np.mean(held, axis=0)),
            ]
            print(f"| {' | '.join(cells)} |", flush=True)
    noisy(seeds, resamples)


def noisy(seeds: int, resamples: int) -> None:
    """Four bidders alike with values uniform on [0, 1], cost b², prizes (.7, .3) and normal noise, whose scale ranks tell; bids
    are those that fictitious play learns."""
    rules = Mechanism((0.7, 0.3, 0.0, 0.0), (1.0,) * 4, success=Noise("normal", 0.2))
    game = Game(rules, Private(Uniform(0.0, 1.0)), cost_power=2.0, bid_levels=201)
    strategy = learn(game, FictitiousPlay(), rounds=1).strategy[0, 0]
    at, scales, errors = np.array([LEVELS[k] for k in TOLD]), [], []
    for seed in range(seeds):
        contests = past_contests(game, 500, seed=100 + seed, strategy=strategy)
        found = estimate_with_luck(contests, "normal", cost=PowerCost(2), resamples=resamples, seed=seed)
        assert found.luck is not None
        scales.append(found.luck.number / 0.2 - 1)
        errors.append(found.parts[0].values[TOLD] / at - 1)
    print(
        f"normal(0.2), {seeds} seeds: scale off by {np.median(np.abs(scales)):.1%} (median size); values at .1 .3 .5 .7 .9 by "
        + " ".join(f"{x:.1%}" for x in np.median(np.abs(errors), axis=0))
    )


TWO, THREE = ((0.5, 0.3, 0.2), (1.0,)), ((0.5, 0.3, 0.2), (0.7, 0.3), (1.0,))
POWERS = (
    (2.0, TWO, WORLDS["beta"]),
    (1.5, TWO, WORLDS["beta"]),
    (2.0, THREE, WORLDS["beta"]),
    (1.5, THREE, WORLDS["beta"]),
    (2.0, (PRIZES,), WORLDS["varied"]),
)


def power(seeds: int, resamples: int) -> None:
    """The power of cost from contests that differ in prizes or bidders: without luck, of Beta(2, 3); and with it."""
    estimating.MOST_TESTED_BESIDE_POWER = 0  # the test of the model takes long, and is no part of this
    print(
        "| contests | power | seeds | found: median | off by: median | band holds | split loses ≤ .5 % | luck: median |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for truth, tables, world in POWERS:
        setting = Setting(Private(world.values), cost_power=truth, attendance=world.presence)
        games = [
            setting.game(Mechanism((*won, *[0.0] * (n - len(won))), (1.0,) * n))
            for won in tables
            for n in world.bidders
        ]
        rows = []
        for seed in range(seeds):
            contests = past_contests(games, 400, seed=100 + seed)
            found = estimate_values(contests, cost=Sought(), family="curve", resamples=resamples, seed=seed)
            assert found.power is not None
            assert found.power.band is not None
            low, high = found.power.band
            rows.append((found.power.number, low <= truth <= high, lost_with(found, setting) <= 0.005))
        told_of_power(f"400 of {len(games)} kinds", truth, np.array(rows, float))
    games = []
    for won in ((0.7, 0.3, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0)):
        rules = Mechanism(won, (1.0,) * 4, success=Noise("normal", 0.2))
        games.append(Game(rules, Private(Uniform(0.0, 1.0)), cost_power=2.0, bid_levels=201))
    strategies = [learn(game, FictitiousPlay(), rounds=1).strategy[0, 0] for game in games]
    rows, scales = [], []
    for seed in range(seeds):
        contests = past_contests(games, 500, seed=100 + seed, strategy=strategies)
        both = estimate_with_luck(contests, "normal", cost=Sought(), resamples=resamples, seed=seed)
        known, luck = both.parts[0].power, both.luck
        assert known is not None
        assert known.band is not None
        assert luck is not None
        rows.append((known.number, known.band[0] <= 2 <= known.band[1], np.nan))
        scales.append(luck.number)
    told_of_power("500 with 2 tables, normal(0.2)", 2.0, np.array(rows, float), f"{np.median(scales):.3f}")


def rounded(seeds: int, resamples: int) -> None:
    """Contests of five with two tables and values of Beta(2, 3), whose bids are recorded in steps: values at the true power of
    cost, and the power where it is sought."""
    estimating.MOST_TESTED_BESIDE_POWER = 0
    print("| power | step | seeds | values: median size of error | bands hold | power: median | off by | band holds |")
    print("|--:|--:|--:|---|--:|--:|--:|--:|")
    values = Beta(2, 3)
    truth = values.quantile(np.array(LEVELS)[TOLD])
    for made in (1.0, 1.5, 2.0):
        setting = Setting(Private(values), cost_power=made)
        games = [
            setting.game(Mechanism((*won, *[0.0] * (5 - len(won))), (1.0,) * 5)) for won in ((0.5, 0.3, 0.2), (1.0,))
        ]
        for step in (0.0, 0.01, 0.03):
            errors, held, powers, bands = [], [], [], []
            for seed in range(seeds):
                past = past_contests(games, 400, seed=100 + seed)
                past = replace(past, bid=np.round(past.bid / step) * step) if step else past
                found = estimate_values(past, cost=PowerCost(made), resamples=resamples, seed=seed)
                low, high = (np.array(end)[TOLD] for end in (found.low, found.high))
                errors.append(found.values[TOLD] / truth - 1)
                held.append((low <= truth) & (truth <= high))
                sought = estimate_values(past, cost=Sought(), family="curve", resamples=resamples, seed=seed).power
                assert sought is not None
                assert sought.band is not None
                powers.append(sought.number)
                bands.append(sought.band[0] <= made <= sought.band[1])
            size = " ".join(f"{x:.1%}" for x in np.median(np.abs(errors), axis=0))
            off = float(np.median(np.abs(np.array(powers) / made - 1)))
            cells = [f"{made:g}", f"{step:g}", str(seeds), size, f"{np.mean(held):.2f}"]
            cells += [f"{np.median(powers):.3f}", f"{off:.1%}", f"{np.mean(bands):.2f}"]
            print(f"| {' | '.join(cells)} |", flush=True)
    at_the_top(seeds, resamples)


def at_the_top(seeds: int, resamples: int) -> None:
    """Equal prizes for half of the bidders, or fewer: many bid nearly the same, in 20 steps recorded as the highest."""
    kinds = {
        "50 contests of 20, 10 prizes": (50, 20, 10, Beta(2, 3)),
        "100 of 10, 5 prizes": (100, 10, 5, Beta(2, 3)),
        "100 of 10, 5 prizes, uniform": (100, 10, 5, Uniform(0.0, 1.0)),
        "200 of 8, 3 prizes": (200, 8, 3, Beta(2, 3)),
    }
    print(
        "\n| contests | seeds | at the highest | median size of error | bands hold | split loses: median | of 9 in 10 |"
    )
    print("|---|--:|--:|---|--:|--:|--:|")
    for name, (contests, n, prizes, values) in kinds.items():
        rules = Mechanism((*[1.0 / prizes] * prizes, *[0.0] * (n - prizes)), (1.0,) * n)
        game, truth = Setting(Private(values), cost_power=2.0).game(rules), values.quantile(np.array(LEVELS))
        top, errors, held, loss = [], [], [], []
        for seed in range(seeds):
            past = past_contests(game, contests, seed=100 + seed)
            step = float(past.bid.max()) / (20 + np.random.default_rng(seed).uniform(-0.45, 0.45))
            bid = np.round(past.bid / step) * step
            found = estimate_values(replace(past, bid=bid), cost=PowerCost(2), resamples=resamples, seed=seed)
            top.append(np.mean(bid == bid.max()))
            errors.append(found.values[TOLD] / truth[TOLD] - 1)
            held.append((np.array(found.low) <= truth) & (truth <= np.array(found.high)))
            loss.append(lost(found, values, n, min(n, 6)))
        size = " ".join(f"{x:.1%}" for x in np.median(np.abs(errors), axis=0))
        told = [f"{np.median(loss):.1%}", f"{np.quantile(loss, 0.9):.1%}"]
        cells = [name, str(seeds), f"{np.mean(top):.0%}", size, f"{np.mean(held):.2f}", *told]
        print(f"| {' | '.join(cells)} |", flush=True)


def lost_with(found: EstimatedValues, truth: Setting) -> float:
    """What the split that is best under an estimate, its power of cost included, loses of the best."""
    space = DesignSpace("prizes", 5, 3)
    assert isinstance(found.cost, PowerCost)
    guess = replace(truth, values=Private(found.distribution), cost_power=found.cost.power, attendance=found.presence)
    best, chosen = best_in_theory(space, truth), best_in_theory(space, guess)
    assert best is not None
    assert chosen is not None
    return max(0.0, 1 - float(objective_at(space, truth)(np.array([chosen.weights]))[0][0]) / best.value)


def told_of_power(what: str, truth: float, rows: np.ndarray, luck: str = "") -> None:
    """A row of the table, of `[seeds, 3]` power, band, loss."""
    lost_little = "" if np.isnan(rows[:, 2]).any() else f"{rows[:, 2].mean():.2f}"
    numbers = rows[:, 0]
    cells = [
        *(what, f"{truth:g}", str(len(rows)), f"{np.median(numbers):.3f}"),
        *(f"{np.median(np.abs(numbers / truth - 1)):.1%}", f"{rows[:, 1].mean():.2f}", lost_little, luck),
    ]
    print(f"| {' | '.join(cells)} |", flush=True)


def alarms(seeds: int) -> None:
    """How often values are said to explain no bids, told the power of cost that made them, or another."""
    uniform, beta, prizes = Uniform(0.0, 1.0), Beta(2, 3), [(0.5, 0.3, 0.2)]
    kinds = {
        "100 contests of 5, uniform": (100, [5], prizes, uniform, 0.0, 2.0),
        "400 of 5, Beta(2, 3)": (400, [5], prizes, beta, 0.0, 2.0),
        "50 of 20, uniform": (50, [20], prizes, uniform, 0.0, 2.0),
        "20 of 5, the winner takes all": (20, [5], [(1.0,)], beta, 0.0, 2.0),
        "100 of 3, 5 and 8, uniform": (100, [3, 5, 8], prizes, uniform, 0.0, 2.0),
        "400 of 3, 5 and 8, uniform": (400, [3, 5, 8], prizes, uniform, 0.0, 2.0),
        "400 of 5, two tables, lognormal": (400, [5], [(0.5, 0.3, 0.2), (1.0,)], Lognormal(0.0, 0.5, 5.0), 0.0, 2.0),
        "400 of 5, uniform, bids in 30 steps": (400, [5], prizes, uniform, 0.02, 2.0),
        "400 of 3 and 6, Beta(2, 3), in whole points": (400, [3, 6], prizes, beta, 0.01, 2.0),
        "the same at b": (400, [3, 6], prizes, beta, 0.01, 1.0),
        "the same, the winner takes all": (400, [3, 6], [(1.0,)], beta, 0.01, 1.0),
    }
    powers = (None, 1.0, 1.5, 4.0)
    heads = ["told the true power", *(f"told b^{p:g}" for p in powers[1:])]
    print(f"| contests | made | seeds | {' | '.join(heads)} |\n|---|--:|--:|{'--:|' * len(powers)}")
    for name, (contests, bidders, tables, values, step, made) in kinds.items():
        setting = Setting(Private(values), cost_power=made)
        games = [setting.game(Mechanism((*t, *[0.0] * (n - len(t))), (1.0,) * n)) for n in bidders for t in tables]
        told = np.zeros(len(powers), int)
        for seed in range(seeds):
            past = past_contests(games, contests, seed=100 + seed)
            bid = np.round(past.bid / step) if step else past.bid
            for k, power in enumerate(powers):
                cost = PowerCost(made if power is None else power)
                found = estimate_values(replace(past, bid=bid), cost=cost, resamples=0, seed=seed)
                told[k] += not found.explains
        print(f"| {name} | b^{made:g} | {seeds} | {' | '.join(map(str, told))} |", flush=True)


def few(seeds: int, resamples: int) -> None:
    """How often bands of 90 % hold the truth at quantiles .1 to .9, by how many contests there were."""
    kinds = {
        "5 bidders, Beta(2, 3)": (5, (0.5, 0.3, 0.2), Beta(2, 3)),
        "10, uniform": (10, (0.5, 0.3, 0.2), Uniform(0.0, 1.0)),
        "3, uniform, the winner takes all": (3, (1.0,), Uniform(0.0, 1.0)),
    }
    numbers, levels = (2, 3, 5, 8, 12, 20, 40), np.array(LEVELS)[TOLD]
    print(f"| contests of | {' | '.join(map(str, numbers))} |\n|---|{'--:|' * len(numbers)}")
    for name, (n, prizes, values) in kinds.items():
        game = Setting(Private(values), cost_power=2.0).game(
            Mechanism((*prizes, *[0.0] * (n - len(prizes))), (1.0,) * n)
        )
        truth, cells = values.quantile(levels), []
        for number in numbers:
            held = []
            for seed in range(seeds):
                past = past_contests([game], number, seed=500 + seed)
                found = estimate_values(past, cost=PowerCost(2.0), resamples=resamples, seed=seed)
                low, high = (np.array(end)[TOLD] for end in (found.low, found.high))
                held.append((low <= truth) & (truth <= high))
            cells.append(f"{np.mean(held):.2f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def bound() -> None:
    """The least standard errors of values at some quantiles, as parts of them: of 2,000 bids, if the family is known."""
    at, bids, true, step = np.array([LEVELS[k] for k in TOLD]), 2000, np.log([2.0, 3.0, 1.0]), 1e-4
    condition = Condition(Kind(5, PRIZES), spread(2000))

    def values(parameters: np.ndarray, q: np.ndarray) -> np.ndarray:
        return np.asarray(Beta(*np.exp(parameters)).quantile(q))

    def slopes(of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        return np.stack([(of(true + d) - of(true - d)) / (2 * step) for d in step * np.eye(3)], axis=-1)

    spent = condition.spent(values(true, condition.nodes))
    steep = condition.slopes(values(true, condition.quantiles), spent)
    rows = condition.residuals(slopes(lambda p: condition.spent(values(p, condition.nodes))), steep) * np.sqrt(bids)
    moves = slopes(lambda p: values(p, at)) / values(true, at)[:, None]
    for free, known in ((2, "the highest value too"), (3, "the family alone")):
        inverse = np.linalg.inv(rows[:, :free].T @ rows[:, :free])
        errors = np.sqrt(np.einsum("ti,ij,tj->t", moves[:, :free], inverse, moves[:, :free]))
        print(f"known: {known}: " + ", ".join(f"{e:.1%} at {q:.1f}" for e, q in zip(errors, at, strict=True)))


GROUPS = (((1.0, 2), (0.7, 3)), ((1.0, 1), (0.8, 2)))


def bound_of_luck(contests: int = 500) -> None:
    """The least standard error of Tullock's r from ranks, where groups have commonly known values: Cramér–Rao.

    Bids add nothing: for each r there are values of the groups with which just these bids are best. What is left is the order,
    whose information on r is the variance of ln b over who might be next, summed over places and averaged over orders.
    """
    for given in GROUPS:
        n = sum(count for _, count in given)
        rules = Mechanism((1.0, *[0.0] * (n - 1)), (1.0,) * n, success=Tullock(1))
        exact = equilibrium(Game(rules, [(Bidder(Common(value)), count) for value, count in given]))
        assert exact is not None
        logs = np.repeat([np.log(play.mean_bid) for play in exact.groups], [count for _, count in given])

        def told(left: tuple[int, ...], logs: np.ndarray = logs) -> float:
            if len(left) < 2:
                return 0.0
            own = logs[list(left)]
            chance = np.exp(own) / np.exp(own).sum()
            spread = float(chance @ (own - chance @ own) ** 2)
            return spread + sum(p * told(left[:k] + left[k + 1 :]) for k, p in enumerate(chance))

        error = 1 / np.sqrt(contests * told(tuple(range(n))))
        within = NormalDist().cdf(0.1 / error) * 2 - 1
        who = " and ".join(f"{count} of {value:g}" for value, count in given)
        print(f"{who}: r is known to {error:.3f} at best from {contests} contests, and so within .1 in {within:.0%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--resamples", type=int, default=100)
    parser.add_argument("--only", nargs="+", choices=WORLDS, default=list(WORLDS))
    parser.add_argument("--groups", action="store_true", help="bidders of unlike groups, and nothing else")
    parser.add_argument("--luck", action="store_true", help="luck that ranks tell, and nothing else")
    parser.add_argument("--power", action="store_true", help="the power of cost, and nothing else")
    parser.add_argument(
        "--alarms", action="store_true", help="how often values are said to explain no bids, and nothing else"
    )
    parser.add_argument("--rounded", action="store_true", help="bids recorded in steps, and nothing else")
    parser.add_argument("--few", action="store_true", help="how often bands from few contests hold, and nothing else")
    parser.add_argument("--bound", action="store_true", help="the best that can be, and nothing else")
    given = parser.parse_args()
    if given.bound:
        bound()
        bound_of_luck()
        return
    if given.alarms:
        alarms(given.seeds)
        return
    several = {"groups": groups, "luck": luck, "power": power, "rounded": rounded, "few": few}
    if asked := [run for name, run in several.items() if getattr(given, name)]:
        for run in asked:
            run(given.seeds, given.resamples)
        return
    print(
        "| world | seeds | median error at .1 .3 .5 .7 .9 | median size | bands hold | at all | loss ≤ .5 % | families |"
    )
    print("|---|--:|---|---|---|--:|--:|---|")
    for name in given.only:
        rows = list(studied(WORLDS[name], given.seeds, given.resamples))
        errors, held = (np.array([row[k] for row in rows])[:, TOLD] for k in (0, 1))
        everywhere = np.mean([row[1].mean() for row in rows])
        families = [row[3] for row in rows]
        cells = [
            name,
            str(len(rows)),
            " ".join(f"{x:+.1%}" for x in np.median(errors, axis=0)),
            " ".join(f"{x:.1%}" for x in np.median(abs(errors), axis=0)),
            " ".join(f"{x:.2f}" for x in held.mean(axis=0)),
            f"{everywhere:.2f}",
            f"{np.mean([row[2] <= 0.005 for row in rows]):.2f}",
            ", ".join(f"{f} {families.count(f)}" for f in sorted(set(families))),
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

"""Contests whose equilibrium is known though bidders are absent, may stay out, differ or need luck: numbers as printed.

What is expected is typed here, computed once by other means than those of `theory`. Every formula is held against it; of each
kind some are also games, which theory, exact payoffs and learners play.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from allpay.contest.attendance import field
from allpay.contest.bidder import Bidder
from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism
from allpay.contest.preferences import PowerCost
from allpay.contest.success import Noise as Luck
from allpay.contest.success import Success
from allpay.contest.success import Tullock as Lottery
from allpay.contest.values import Common, Power, Private, Uniform
from allpay.learners import FictitiousPlay, InteriorPoint, Learner
from allpay.theory.entry import best_reserve, entry_equilibrium
from allpay.theory.field import Rivals
from allpay.theory.known import exclusion, identical_prizes, known_values
from allpay.theory.noformula import NoFormula
from allpay.theory.tournament import (
    Exponential,
    Logistic,
    Noise,
    Normal,
    Pareto,
    UniformNoise,
    prize_effects,
    tournament,
)
from allpay.theory.tullock import alike_tullock, unlike_tullock
from allpay.theory.unlike import two_bidders
from allpay.verify.cases import BARUT_KOVENOCK, BAYE_KOVENOCK_DE_VRIES, MOLDOVANU_SELA, SIX_DIGITS, Known, printed

ABSENT = "F replaced by 1 − π + πF"
PARTICIPANT = "Π averaged with chances ∝ N·P(N)"
RESERVE, MYERSON = "Riley & Samuelson 1981, Moldovanu & Sela 2001", "Myerson 1981"
FEE = "the lowest to enter gains nothing"
AMANN_LEININGER = "Amann & Leininger 1996"
HILLMAN_RILEY = "Hillman & Riley 1989"
SIEGEL = "Clark & Riis 1998, Siegel 2009"
STEIN, NTI = "Stein 2002", "Nti 1999"
CLARK_RIIS, LIM_MATROS = "Clark & Riis 1996", "Lim & Matros 2009"
LAZEAR_ROSEN = "Lazear & Rosen 1981"

FIVE_DIGITS, THREE_DIGITS = 5e-6, 5e-4


@dataclass(frozen=True)
class Number:
    """One number of a solution.

    Attributes:
        what: which.
        of: takes it from the solution.
        known: what it ought to be.
    """

    what: str
    of: Callable[[Any], float]
    known: Known


@dataclass(frozen=True)
class Contest:
    """A contest whose equilibrium is known.

    Attributes:
        family: what it is a case of.
        point: which of that family.
        source: where the formula comes from.
        solve: what theory says.
        numbers: what is known of that.
    """

    family: str
    point: str
    source: str
    solve: Callable[[], Any]
    numbers: tuple[Number, ...]

    def values(self) -> Iterator[tuple[Number, float]]:
        """Each number, and what theory says; NaN where it has no formula."""
        found = self.solve()
        for number in self.numbers:
            yield number, math.nan if isinstance(found, NoFormula) else float(number.of(found))


def known_contests() -> list[Contest]:
    """Every line of the tables."""
    return [
        *_who_turns_up(),
        *_reserves_and_fees(),
        *_two_unlike(),
        *_known_values(),
        *_tullock(),
        *_tournaments(),
        *_fifty(),
    ]


@dataclass(frozen=True)
class Played:
    """A game whose equilibrium is known, and a learner that is known to find it.

    Attributes:
        family, point, source: as in `Contest`.
        game: the game.
        revenue: what is known.
        learner: who plays it.
    """

    family: str
    point: str
    source: str
    game: Game
    revenue: Known
    learner: Learner


def played_contests(full: bool = False) -> Iterator[Played]:
    """Games with each part that the simple game lacks; `full` for finer grids, and a solver beside learning."""
    fine = 2 if full else 1
    learning, solver = FictitiousPlay(), InteriorPoint()
    private = Private(levels=64 * fine)

    def everybody_pays(*prizes: float, luck: Success | None = None, **options: float) -> Mechanism:
        rules: dict[str, Any] = options if luck is None else {"success": luck, **options}
        return Mechanism(prizes, (1.0,) * len(prizes), **rules)

    def known(*values: float) -> list[tuple[Bidder, int]]:
        return [(Bidder(Common(value)), 1) for value in values]

    one, steps = (1.0, 0.0, 0.0), 100 * fine + 1
    for family, source, mechanism, attendance, revenue in (
        ("absence, π = ½", ABSENT, everybody_pays(*one), 0.5, 0.1875),
        ("2, 3 or 4 bidders", PARTICIPANT, everybody_pays(1, 0, 0, 0), field("2:4"), 0.477778),
        ("2, 3 or 4 bidders, prizes 0.7, 0.3", PARTICIPANT, everybody_pays(0.7, 0.3, 0, 0), field("2:4"), 0.321111),
        ("reserve 0.1", RESERVE, everybody_pays(*one, reserve=0.1), 1.0, 0.530376),
        ("entry fee ⅛", FEE, everybody_pays(*one, fee=0.125), 1.0, 11 / 32),
    ):
        game = Game(mechanism, private, bid_levels=steps, attendance=attendance)
        yield Played("private values, played", family, source, game, Known(revenue), learning)
    pair = [(Bidder(Private()), 1), (Bidder(Private(Power(2))), 1)]
    game = Game(everybody_pays(1, 0), pair, bid_levels=141)
    for learner in (learning, solver) if full else (learning,):
        yield Played("two unlike bidders, played", "F = v and v²", AMANN_LEININGER, game, Known(0.406544), learner)
    game = Game(everybody_pays(*one), known(1, 0.8, 0.5), bid_levels=2 * steps - 1)
    yield Played("values known to all, played", "v = 1, 0.8, 0.5", HILLMAN_RILEY, game, Known(0.72), solver)
    tullock = everybody_pays(*one, luck=Lottery(1))
    game = Game(tullock, known(1, 0.8, 0.5), bid_levels=2 * steps - 1, max_bid=0.5)
    yield Played("Tullock, r = 1, played", "v = 1, 0.8, 0.5", STEIN, game, Known(0.470588), learning)
    for prizes, bid in ((one, 0.282095), ((0.7, 0.3, 0.0), 0.197466)):
        rule = everybody_pays(*prizes, luck=Luck("normal", 0.5))
        game = Game(rule, Common(), cost_power=2.0, bid_levels=2 * steps - 1, max_bid=0.5)
        point = f"n = 3, {_prizes(prizes)}"
        total = Known(3 * bid, 3 * SIX_DIGITS)
        yield Played("score = bid + normal noise, played", point, LAZEAR_ROSEN, game, total, learning)


def _named(**numbers: float | Known) -> tuple[Number, ...]:
    """Numbers that the solution has under these names; of each six decimals are known, unless it says otherwise."""
    return tuple(
        Number(name.replace("_", " "), lambda found, name=name: getattr(found, name), _known(x))  # type: ignore[misc]
        for name, x in numbers.items()
    )


def _listed(what: str, numbers: Sequence[float | Known], name: str | None = None) -> tuple[Number, ...]:
    """Numbers of a sequence, of the solution itself or of what it has under a name."""
    return tuple(
        Number(
            f"{what} {i + 1}",
            lambda found, i=i: (found if name is None else getattr(found, name))[i],  # type: ignore[misc]
            _known(x),
        )
        for i, x in enumerate(numbers)
    )


def _known(x: float | Known) -> Known:
    return x if isinstance(x, Known) else Known(x)


def _who_turns_up() -> Iterator[Contest]:
    for n, presence, revenue in ((3, 0.5, 0.1875), (5, 0.6, 0.456960)):
        yield Contest(
            "absence, private values",
            f"n = {n}, π = {presence:g}",
            ABSENT,
            lambda n=n, presence=presence: entry_equilibrium(Uniform(), Rivals.of(n, presence)),  # type: ignore[misc]
            _named(revenue=revenue),
        )
    for n, presence in ((3, 0.5), (3, 0.8), (5, 0.6)):
        alone = 1 - presence
        yield Contest(
            "absence, common value",
            f"n = {n}, π = {presence:g}",
            f"{BARUT_KOVENOCK}; {ABSENT}",
            lambda n=n, presence=presence: entry_equilibrium(1.0, Rivals.of(n, presence)),  # type: ignore[misc]
            _named(revenue=1 - alone**n - n * presence * alone ** (n - 1), payoff=alone ** (n - 1)),
        )
    for prizes, revenue in (((1.0,), 0.477778), ((0.7, 0.3), 0.321111)):
        yield Contest(
            "2, 3 or 4 bidders, private values",
            _prizes(prizes),
            PARTICIPANT,
            lambda prizes=prizes: entry_equilibrium(Uniform(), Rivals.of({2: 1, 3: 1, 4: 1}), prizes),  # type: ignore[misc]
            _named(revenue=revenue),
        )


def _reserves_and_fees() -> Iterator[Contest]:
    family = "reserve, private values"
    for n, prizes, power, reserve, lowest, revenue, highest in (
        (3, (1.0,), 1.0, 0.1, 0.464159, 0.530376, 0.360000),
        (3, (0.7, 0.3), 1.0, 0.1, 0.395426, 0.419046, 0.257407),
        (4, (0.6, 0.4), 2.0, 0.3, 0.460116, 0.998963, 0.493645),
    ):
        yield Contest(
            family,
            f"n = {n}, {_prizes(prizes)}, cost b^{power:g}, r = {reserve:g}",
            RESERVE,
            lambda n=n, a=prizes, p=power, r=reserve: entry_equilibrium(  # type: ignore[misc]
                Uniform(), Rivals.of(n), a, cost=PowerCost(p), reserve=r
            ),
            _named(lowest_value=lowest, revenue=revenue, highest_bid=highest),
        )
    for n, revenue in ((2, 5 / 12), (3, 17 / 32), (5, 0.671875)):
        yield Contest(
            "best reserve, winner takes all",
            f"n = {n}",
            MYERSON,
            lambda n=n: best_reserve(Uniform(), Rivals.of(n)),  # type: ignore[misc]
            (
                *_named(reserve=2.0**-n),
                Number("revenue", lambda found: found.equilibrium.revenue, Known(revenue)),
                Number("lowest value", lambda found: found.equilibrium.lowest_value, Known(0.5)),
            ),
        )
    for n, prizes, fee, lowest, revenue, fees in (
        (3, (1.0,), 0.125, 0.5, 11 / 32, 0.1875),
        (4, (0.6, 0.4), 0.05, 0.371239, 0.345897, 0.125752),
    ):
        yield Contest(
            "entry fee, private values",
            f"n = {n}, {_prizes(prizes)}, e = {fee:g}",
            FEE,
            lambda n=n, a=prizes, e=fee: entry_equilibrium(Uniform(), Rivals.of(n), a, fee=e),  # type: ignore[misc]
            _named(lowest_value=lowest, revenue=revenue, fees=fees),
        )
    # a rival is in with probability x = 1 − q0, and who enters gains q0² − r − e = 0
    reserve, fee = 0.09, 0.07
    entry = 1 - math.sqrt(reserve + fee)
    yield Contest(
        "reserve and fee, common value",
        f"n = 3, r = {reserve:g}, e = {fee:g}",
        FEE,
        lambda: entry_equilibrium(1.0, Rivals.of(3), reserve=reserve, fee=fee),
        _named(entry=entry, revenue=1 - (1 - entry) ** 3 - 3 * entry * fee, fees=3 * entry * fee, payoff=0.0),
    )


def _two_unlike() -> Iterator[Contest]:
    yield Contest(
        "two unlike bidders, private values",
        "F = v and v²",
        AMANN_LEININGER,
        lambda: two_bidders(Uniform(), Power(2)),
        (
            *_named(revenue=0.406544, highest_bid=0.301184, top_bid=0.567668),
            *_listed("revenue from", (0.190378, 0.216166), "revenues"),
            *_listed("bids 0 up to", (math.exp(-2), 0.0), "zero"),
        ),
    )
    for h, revenue in ((1, 1 / 3), (2, 0.433333), (3, 0.471429)):
        yield Contest(
            "two unlike bidders, private values",
            f"uniform to 1 and {h}",
            AMANN_LEININGER,
            lambda h=h: two_bidders(Uniform(), Uniform(0, h)),  # type: ignore[misc]
            _named(revenue=revenue),
        )


def _known_values() -> Iterator[Contest]:
    source = f"{HILLMAN_RILEY}; {BAYE_KOVENOCK_DE_VRIES}"
    for values, revenue in (((1, 0.8, 0.5), 0.72), ((10, 4, 4), 2.8)):
        yield Contest(
            "values known to all, winner takes all",
            f"v = {_list(values)}",
            source,
            lambda values=values: known_values(values),  # type: ignore[misc]
            (*_named(revenue=revenue), *_listed("payoff", (values[0] - values[1], 0.0, 0.0), "payoffs")),
        )
    yield Contest(
        "without the strongest",
        "v = 10, 4, 4",
        "exclusion principle, Baye, Kovenock & de Vries 1993",
        lambda: exclusion((10, 4, 4)),
        _named(revenue=4.0, revenue_of_all=2.8),
    )
    yield Contest(
        "values known to all, two identical prizes",
        "v = 1, 0.8, 0.5",
        SIEGEL,
        lambda: identical_prizes((1, 0.8, 0.5), 2),
        _listed("payoff", (0.5, 0.3, 0.0)),
    )


def _tullock() -> Iterator[Contest]:
    for values, total, bids in (
        ((1, 0.8, 0.5), 0.470588, (0.249135, 0.193772, 0.027682)),
        ((1, 0.5, 0.2), 0.333333, (0.222222, 0.111111, 0.0)),
    ):
        yield Contest(
            "Tullock, r = 1",
            f"v = {_list(values)}",
            STEIN,
            lambda values=values: unlike_tullock(values),  # type: ignore[misc]
            (*_named(revenue=total), *_listed("bid", bids, "bids")),
        )
    for r in (0.5, 1.0):
        share = 0.5**r / (1 + 0.5**r) ** 2
        yield Contest(
            "Tullock, two bidders",
            f"v = 1, 0.5, r = {r:g}",
            NTI,
            lambda r=r: unlike_tullock((1, 0.5), r),  # type: ignore[misc]
            _listed("bid", (r * share, r * share / 2), "bids"),
        )
    for prizes, bid in (((1.0, 0, 0), 0.177778), ((0.7, 0.3, 0), 0.137778), ((0.5, 0.3, 0.2, 0, 0), 0.097333)):
        yield Contest(
            "Tullock, bidders alike, r = 0.8",
            f"n = {len(prizes)}, {_prizes(prizes)}",
            CLARK_RIIS,
            lambda a=prizes: alike_tullock(Rivals.of(len(a)), a, 0.8),  # type: ignore[misc]
            _named(bid=bid),
        )
    yield Contest(
        "Tullock, absence, r = 1",
        "n = 3, π = 0.5",
        LIM_MATROS,
        lambda: alike_tullock(Rivals.of(3, 0.5)),
        _named(bid=0.180556),
    )


def _tournaments() -> Iterator[Contest]:
    five, three = FIVE_DIGITS, THREE_DIGITS
    effects: list[tuple[str, Noise, tuple[float, ...], float]] = [
        ("normal", Normal(), (0.28209, 0, -0.28209), five),
        ("normal", Normal(), (0.23259, 0.09900, 0, -0.09900, -0.23259), five),
        ("uniform on [−1, 1]", UniformNoise(), (0.5, 0, -0.5), five),
        ("exponential", Exponential(), (1 / 3, 1 / 3, -2 / 3), five),
        ("logistic", Logistic(), (1 / 6, 0, -1 / 6), five),
        ("Pareto 2", Pareto(2), (0.457, 0.686, -1.143), three),
    ]
    for name, noise, numbers, tolerance in effects:
        yield Contest(
            "score = bid + noise: what a prize moves",
            f"{name}, n = {len(numbers)}",
            LAZEAR_ROSEN,
            lambda noise=noise, numbers=numbers: prize_effects(noise, Rivals.of(len(numbers))),  # type: ignore[misc]
            _listed("β", [Known(x, tolerance) for x in numbers]),
        )
    for prizes, bid in (((1.0, 0, 0), 0.282095), ((0.7, 0.3, 0), 0.197466), ((0.6, 0.4, 0, 0, 0), 0.179157)):
        yield Contest(
            "score = bid + normal noise of σ = ½, cost b²",
            f"n = {len(prizes)}, {_prizes(prizes)}",
            LAZEAR_ROSEN,
            lambda a=prizes: tournament(Normal(0.5), Rivals.of(len(a)), a, cost=PowerCost(2)),  # type: ignore[misc]
            _named(bid=bid),
        )


def _fifty() -> Iterator[Contest]:
    split = (0.375, 0.25, 0.125, 0.05, 0.05, 0.05, 0.05, 0.05)
    for power, prizes, revenue, highest in (
        (2.0, split, 2.9001, 0.4981),
        (2.0, (1.0,), 1.9037, 0.6600),
        (1.0, split, 0.8922, 0.2554),
        (1.0, (1.0,), 0.9608, 0.4900),
    ):
        yield Contest(
            "50 bidders, private values",
            f"cost b^{power:g}, {'eight prizes' if len(prizes) > 1 else 'one prize'}",
            MOLDOVANU_SELA,
            lambda a=prizes, p=power: entry_equilibrium(Uniform(), Rivals.of(50), a, cost=PowerCost(p)),  # type: ignore[misc]
            _named(revenue=printed(revenue), highest_bid=printed(highest)),
        )


def _prizes(prizes: Sequence[float]) -> str:
    return f"prizes {_list(prizes)}" if np.count_nonzero(prizes) > 1 else "one prize"


def _list(numbers: Sequence[float]) -> str:
    return ", ".join(f"{x:g}" for x in numbers)

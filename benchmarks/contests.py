"""Contests with unlike bidders, luck and known values: each figure that the learners and the solver are to reach, beside it.

    python benchmarks/contests.py                    # all figures
    python benchmarks/contests.py --only tullock     # those whose part has this in its name
    python benchmarks/contests.py --full             # also 10⁷ sampled contests of 30 bidders, and ten runs of each game
    python benchmarks/contests.py --before OTHER     # plain games against the code of another checkout, in turns

Times are CPU seconds of one thread, after compilation. Numbers to reach are from theory (docs/theory.md); the relative loss of
a bidder is its gain by a best response over the payoff of that response, the largest of all bidders.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from allpay.contest.auction import play
from allpay.contest.game import Bidder, Game
from allpay.contest.mechanism import Mechanism, all_pay
from allpay.contest.payoffs import evaluate
from allpay.contest.preferences import PowerCost
from allpay.contest.success import Noise, Success, Tullock
from allpay.contest.values import Common, Power, Private, Uniform
from allpay.learners import FictitiousPlay, InteriorPoint, Learner, learn
from allpay.learners.base import random_profile, threads_limited
from allpay.outcome import Outcome


@dataclass(frozen=True)
class Figure:
    """One figure: what it is, what was found, and the most that it may be."""

    what: str
    found: float
    most: float
    unit: str = ""

    def __str__(self) -> str:
        word = "reached" if self.found <= self.most else "NOT REACHED"
        return f"{self.what:<86} {self.found:>9.2g}{self.unit:<2} ≤ {self.most:<7.2g}{word}"


def everybody_pays(*prizes: float, luck: Success | None = None) -> Mechanism:
    rules = {} if luck is None else {"success": luck}
    return Mechanism(prizes, (1.0,) * len(prizes), **rules)


def known(*values: float) -> list[tuple[Bidder, int]]:
    return [(Bidder(Common(value)), 1) for value in values]


def seconds(function: Callable[[], Outcome]) -> tuple[Outcome, float]:
    """What it returns, and its CPU time."""
    start = time.process_time()
    found = function()
    return found, time.process_time() - start


def compiled(learner: Learner, game: Game) -> None:
    """Let everything that a run needs be compiled."""
    learn(game, type(learner)(iterations=2, auctions=10), rounds=1)  # type: ignore[call-arg]


def losses(found: Outcome) -> float:
    """The largest relative loss of any bidder in any round."""
    largest = 0.0
    for game, profiles in zip(found.games, found.strategy, strict=True):
        for profile in profiles:
            worth = evaluate(game, profile)
            largest = max(largest, float((worth.exploitability / (worth.payoff + worth.exploitability)).max()))
    return largest


def mean_bids(found: Outcome, round_: int = 0) -> np.ndarray:
    """`[groups]` the mean score of each group, which is its mean bid unless it has a head start or a handicap."""
    game = found.games[0]
    return np.einsum("ivb,ib->i", found.strategy[0, round_], game.efforts) / game.value_levels


# --- the parts


def many_bidders(full: bool) -> Iterator[Figure]:
    """2 strong and 98 weak bidders for 5 prizes, and 10 alike with luck: one run to relative exploitability .005."""
    learner = FictitiousPlay(tolerance=0.005, auctions=1000)
    kinds = [(Bidder(Private(Uniform(0, 1))), 2), (Bidder(Private(Uniform(0, 0.5))), 98)]
    for prizes in ((0.4, 0.25, 0.15, 0.12, 0.08), (0.2,) * 5):
        game = Game(everybody_pays(*prizes, *(0.0,) * 95), kinds)
        yield from _to_tolerance(f"2 strong, 98 weak, prizes {prizes[0]:g} … {prizes[-1]:g}", game, learner, 1.0)
    for luck in (Tullock(1), Noise("normal", 0.2), Noise("normal", 0.02)):
        for prizes in ((1.0,), (0.5, 0.3, 0.2)):
            game = Game(everybody_pays(*prizes, *(0.0,) * (10 - len(prizes)), luck=luck))
            name = f"n = 10, {_name(luck)}, first prize {prizes[0]:g}"
            yield from _to_tolerance(name, game, learner, 2.0)


def _to_tolerance(name: str, game: Game, learner: FictitiousPlay, most: float) -> Iterator[Figure]:
    compiled(learner, game)
    found, cpu = seconds(lambda: learn(game, learner, rounds=1))
    ended = f"{found.iterations.max()} iterations to {found.relative_exploitability.max():.1e}"
    yield Figure(f"{name}: fictitious play, CPU time, {ended}", cpu, most, " s")


def _name(luck: Success) -> str:
    return f"Tullock r = {luck.r:g}" if isinstance(luck, Tullock) else f"{luck.law} luck {luck.scale:g}"  # type: ignore[attr-defined]


def soda(full: bool) -> Iterator[Figure]:
    """The contest configurations of a peer (SODA; Bichler, Kohring & Heidekrüger), by the solver and by fictitious play."""
    games, rounds, whole = soda_games(), 10, 0.0
    for learner, most in (
        (InteriorPoint(auctions=1), 1e-6),
        (FictitiousPlay(iterations=300, auctions=1), 1e-3),
    ):
        for name, game in games.items():
            compiled(learner, game)
            found, cpu = seconds(lambda game=game, learner=learner: learn(game, learner, rounds))  # type: ignore[misc]
            whole += cpu
            yield Figure(f"SODA, {name}: {learner.name}, relative loss, {rounds} runs", losses(found), most)
    yield Figure("SODA, all of these: CPU time", whole, 20.0, " s")


def soda_games() -> dict[str, Game]:
    """Two bidders, values uniform on [0, 1], 64 values and 64 bids up to ½; the chance to win is b^r / (b^r + b′^r), or
    e^{μb} / (e^{μb} + e^{μb′}), which is Gumbel noise of scale 1/μ on the bid."""

    def two(luck: Success, strong: Private | None = None) -> Game:
        kinds = [Bidder(values, max_bid=0.5) for values in (strong or Private(), Private())]
        mechanism = everybody_pays(1, 0, luck=luck)
        if strong is None:
            return Game(mechanism, Private(), bid_levels=64, max_bid=0.5)
        return Game(mechanism, [(kind, 1) for kind in kinds], bid_levels=64)

    games = {f"ratio, r = {r:g}": two(Tullock(r)) for r in (0.5, 1, 2, 5)}
    games |= {f"ratio, r = 1, strong on [{k}, {k + 1}]": two(Tullock(1), Private(Uniform(k, k + 1))) for k in range(4)}
    return games | {f"difference, μ = {mu:g}": two(Noise("gumbel", 1 / mu)) for mu in (1, 2, 5, 10, 20)}


def soda_prizes(full: bool) -> Iterator[Figure]:
    """The nine prize settings of the same peer, no luck, by the solver."""
    learner, whole, largest = InteriorPoint(auctions=1), 0.0, 0.0
    for n in (3, 5, 10):
        for prizes in ((1.0,), (0.8, 0.2), (0.6, 0.4)):
            game = Game(everybody_pays(*prizes, *(0.0,) * (n - len(prizes))), Private(), bid_levels=64)
            compiled(learner, game)
            found, cpu = seconds(lambda game=game: learn(game, learner, rounds=10))  # type: ignore[misc]
            whole, largest = whole + cpu, max(largest, losses(found))
    yield Figure("SODA, nine prize settings, no luck: interior-point, relative loss, 10 runs", largest, 1e-8)
    yield Figure("SODA, nine prize settings: CPU time", whole, 1.2, " s")


STEIN = (0.249135, 0.193772, 0.027682)
"""Mean bids in Tullock's contest, r = 1, of values 1, .8, .5 (Stein 2002)."""


def stein_game(bid_levels: int = 201) -> Game:
    """Stein's three bidders. The third bids so little that a step of the others' grid is 5 % of it, so its grid is finer: its
    score is a fifth of what it writes, at a fifth of the cost, which is the same contest."""
    tops = ((1.0, 1.0), (0.8, 1.0), (0.5, 0.2))
    kinds = [(Bidder(Common(v), handicap=part, cost=PowerCost(scale=part), max_bid=0.3), 1) for v, part in tops]
    return Game(everybody_pays(1, 0, 0, luck=Tullock(1)), kinds, bid_levels=bid_levels)


def stein(full: bool) -> Iterator[Figure]:
    game = stein_game()
    for learner in (FictitiousPlay(auctions=1000), InteriorPoint(auctions=1)):
        compiled(learner, game)
        found = learn(game, learner, rounds=1)
        bids = mean_bids(found)
        for v, bid, expected in zip((1, 0.8, 0.5), bids, STEIN, strict=True):
            name = f"Stein, v = {v:g}, 201 bids: {learner.name}, mean bid {bid:.6f} ({expected:.6f}), off by"
            yield Figure(name, 100 * abs(bid / expected - 1), 1.0, " %")
        yield Figure(f"Stein: {learner.name}, total, off by", 100 * abs(bids.sum() / sum(STEIN) - 1), 0.5, " %")
    yield Figure("Stein: interior-point, largest gain", float(found.exploitability_by_bidder.max()), 1e-8)


LAZEAR_ROSEN = (((1.0, 0.0, 0.0), 0.282095), ((0.7, 0.3, 0.0), 0.197466), ((0.6, 0.4, 0.0, 0.0, 0.0), 0.179157))
"""Prizes, and the bid of everybody, with normal noise of σ = ½ and cost b²."""


def lazear_rosen_game(prizes: tuple[float, ...], bid_levels: int = 201) -> Game:
    mechanism = everybody_pays(*prizes, luck=Noise("normal", 0.5))
    return Game(mechanism, Common(), cost_power=2.0, bid_levels=bid_levels, max_bid=0.5)


def lazear_rosen(full: bool) -> Iterator[Figure]:
    learner = FictitiousPlay(auctions=1000)
    for prizes, bid in LAZEAR_ROSEN:
        found = learn(lazear_rosen_game(prizes), learner, rounds=1)
        mean = mean_bids(found)[0]
        name = f"Lazear–Rosen, n = {len(prizes)}, first prize {prizes[0]:g}: mean bid {mean:.6f} ({bid:.6f}), off by"
        yield Figure(name, 100 * abs(mean / bid - 1), 1.0, " %")


AMANN_LEININGER = 0.406544


def amann_leininger_game() -> Game:
    return Game(everybody_pays(1, 0), [(Bidder(Private()), 1), (Bidder(Private(Power(2))), 1)], bid_levels=141)


def amann_leininger(full: bool) -> Iterator[Figure]:
    game = amann_leininger_game()
    for learner, most in ((FictitiousPlay(auctions=1000), 0.005), (InteriorPoint(auctions=1), 1e-8)):
        found = learn(game, learner, rounds=1)
        off = abs(found.revenue[0, 0] / AMANN_LEININGER - 1)
        name = f"U against x², 64 × 141: {learner.name}"
        yield Figure(f"{name}, revenue {found.revenue[0, 0]:.6f} ({AMANN_LEININGER}), off by", 100 * off, 1.0, " %")
        yield Figure(f"{name}, largest gain", float(found.exploitability_by_bidder.max()), most)


def known_values(full: bool) -> Iterator[Figure]:
    """Values 1, .8, .5 known to all, winner takes all: revenue is .72 (Hillman & Riley 1989)."""
    for bids, most in ((51, 2.0), (101, 1.0), (201, 0.5)):
        game = Game(all_pay(3), known(1, 0.8, 0.5), bid_levels=bids)
        found = learn(game, InteriorPoint(auctions=1), rounds=1)
        name = f"values known to all, {bids} bids: interior-point"
        revenue = found.revenue[0, 0]
        yield Figure(f"{name}, revenue {revenue:.6f} (.72), off by", 100 * abs(revenue / 0.72 - 1), most, " %")
        yield Figure(f"{name}, largest gain", float(found.exploitability_by_bidder.max()), 1e-6)


def sampled(full: bool) -> Iterator[Figure]:
    """Exact payoffs with luck against sampled contests of 30 bidders in two groups: 10⁷ of them with `full`, else 2·10⁵."""
    contests = 10_000_000 if full else 200_000
    for luck in (Tullock(1), Noise("normal", 0.1)):
        prizes = (0.5, 0.3, 0.2) + (0.0,) * 27
        kinds = [(Bidder(Private(Uniform(), 8)), 10), (Bidder(Private(Uniform(0, 0.5), 8), cost=2), 20)]
        game = Game(everybody_pays(*prizes, luck=luck), kinds, bid_levels=21)
        strategy = random_profile(game, np.uint64(1))
        exact, block = evaluate(game, strategy), 100_000
        sums, squares = np.zeros(2), np.zeros(2)
        for k in range(contests // block):
            played = play(game, strategy, block, seed=k)
            numbers = np.stack([played.revenue, played.highest_bid])
            sums, squares = sums + numbers.sum(axis=1), squares + (numbers**2).sum(axis=1)
        mean = sums / contests
        error = np.sqrt((squares / contests - mean**2) / contests)
        for what, off in zip(
            ("revenue", "highest bid"), np.abs(mean - (exact.revenue, exact.highest_bid)) / error, strict=True
        ):
            yield Figure(f"n = 30, {_name(luck)}, {contests:,} contests: {what}, off by standard errors", off, 4.0)


PARTS = {
    "many bidders": many_bidders,
    "soda, luck": soda,
    "soda, prizes": soda_prizes,
    "stein, tullock": stein,
    "lazear-rosen": lazear_rosen,
    "amann-leininger": amann_leininger,
    "known values": known_values,
    "sampled": sampled,
}


# --- plain games, against another checkout

PLAIN = """
import hashlib, json, time
import numpy as np
import allpay
from allpay.learners import EpsilonGreedy, FictitiousPlay

def learned(learner, rounds, **options):
    game = allpay.Game.from_weights("prizes", 0.8, 3, **options)
    start = time.process_time()
    outcome = allpay.learn(game, learner, rounds)
    seconds = time.process_time() - start
    parts = (outcome.strategy, outcome.revenue, outcome.exploitability)
    return seconds / rounds, hashlib.sha256(b"".join(np.ascontiguousarray(x).tobytes() for x in parts)).hexdigest()

small = EpsilonGreedy.setting
found = {}
for learner, options in (
    (FictitiousPlay(), {}),
    (EpsilonGreedy(), {"values": small.values, "bid_levels": small.bid_levels, "overbidding": small.overbidding}),
):
    learned(learner, 1, **options)
    found[learner.name] = learned(learner, 8, **options)
print(json.dumps(found))
"""
"""Prints the CPU time of a run of two learners in a plain game, and a digest of what was learned, in any version of allpay."""


def against(before: Path, repetitions: int = 7) -> None:
    """The same of two checkouts, in turns."""
    checkouts = {"now": Path(__file__).resolve().parents[1], "before": before.resolve()}
    runs: dict[str, list[dict[str, tuple[float, str]]]] = {name: [] for name in checkouts}
    for _ in range(repetitions):
        for name, root in checkouts.items():
            environment = {**os.environ, "PYTHONPATH": str(root / "src"), "ALLPAY_THREADS": "1"}
            command = [sys.executable, "-c", PLAIN]
            out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            runs[name].append(json.loads(out.stdout))
    for learner in runs["now"][0]:
        least = {name: min(run[learner][0] for run in of) for name, of in runs.items()}
        digests = {run[learner][1] for of in runs.values() for run in of}
        print(
            f"{learner}: {1e3 * least['now']:.1f} ms a run now, {1e3 * least['before']:.1f} before: "
            f"{least['now'] / least['before']:.2f} times as long; {'the same bits' if len(digests) == 1 else 'OTHER BITS'}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="only the parts whose name has this in it")
    parser.add_argument("--full", action="store_true", help="also what takes minutes")
    parser.add_argument("--before", type=Path, help="another checkout to compare plain games with")
    options = parser.parse_args()
    if options.before is not None:
        against(options.before)
        return
    missed = 0
    with threads_limited(1):
        for name, part in PARTS.items():
            if options.only in name:
                for figure in part(options.full):
                    print(figure, flush=True)
                    missed += figure.found > figure.most
    print(f"\n{missed} not reached" if missed else "\nall reached")


if __name__ == "__main__":
    main()

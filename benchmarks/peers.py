"""One small auction, solved by other people's programs and by allpay, in one run: `python benchmarks/peers.py`.

Two bidders with private values, the winner takes all, on a grid that is small enough to be written out as a tree. OpenSpiel
(counterfactual regret minimisation, in C++) gets that tree by `allpay.adapters.openspiel`; what it finds is judged by
`allpay.evaluate`, and so is what allpay's learners find. OpenSpiel is general: it takes any game that is written out. Ours
knows that this is an auction.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from allpay import Game, Mechanism, Private, Uniform, evaluate
from allpay.adapters import openspiel
from allpay.learners import FictitiousPlay, Learner, RegretMatching, learn

GAINS = (0.01, 0.001)
"""Of the prize: what a bidder may still gain."""

LONGEST = 20.0
"""Seconds that a solver may take."""


def judged(game: Game, strategy: np.ndarray) -> tuple[float, float]:
    """The revenue of a profile, and what a bidder could still gain."""
    found = evaluate(game, strategy)
    return float(found.revenue), float(np.max(found.exploitability))


def by_allpay(game: Game, learner: Callable[[int], Learner], steps: list[int]) -> list[tuple[float, float, float]]:
    """Seconds, revenue and gain after so many iterations, each from the start; what is compiled is compiled before."""
    learn(game, learner(steps[0]), rounds=1)
    found = []
    for count in steps:
        start = time.perf_counter()
        outcome = learn(game, learner(count), rounds=1)
        found.append((time.perf_counter() - start, *judged(game, outcome.strategy[0, 0])))
    return found


def by_openspiel(game: Game, solver: str, steps: list[int]) -> list[tuple[float, float, float]]:
    """The same of counterfactual regret minimisation in OpenSpiel's C++, of its average policy."""
    import pyspiel

    form = openspiel.extensive_form(game)
    made = getattr(pyspiel, solver)(form)
    found, spent, done = [], 0.0, 0
    for count in steps:
        start = time.perf_counter()
        while done < count and spent + time.perf_counter() - start < LONGEST:
            made.evaluate_and_update_policy()
            done += 1
        spent += time.perf_counter() - start
        strategy = openspiel.strategy_of_policy(game, form, made.average_policy())
        found.append((spent, *judged(game, strategy)))
    return found


def row(name: str, found: list[tuple[float, float, float]]) -> str:
    """A line of the table: the first time at which each gain is reached, and what the last one is."""
    cells = []
    for gain in GAINS:
        first = next((seconds for seconds, _, left in found if left <= gain), None)
        cells.append("–" if first is None else f"{1000 * first:,.0f} ms")
    seconds, revenue, left = found[-1]
    return f"| {name} | {cells[0]} | {cells[1]} | {left:.1e} | {seconds:.2f} s | {revenue:.4f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, default=8)
    parser.add_argument("--bids", type=int, default=21)
    given = parser.parse_args()
    game = Game(Mechanism(prizes=(1, 0), payments=(1, 1)), Private(Uniform(0, 1), given.values), bid_levels=given.bids)
    steps = [2**k for k in range(4, 15)]
    print(f"Two bidders, {given.values} values, {given.bids} bids; in equilibrium on continuous bids revenue is 1/3.\n")
    print(
        "| solver | gain ≤ 1 % of the prize | ≤ 0.1 % | gain at the end | after | revenue |\n|:---|---:|---:|---:|---:|---:|"
    )
    for name, learner in (
        ("allpay, fictitious play", lambda n: FictitiousPlay(iterations=n)),
        ("allpay, regret matching", lambda n: RegretMatching(iterations=n)),
    ):
        print(row(name, by_allpay(game, learner, steps)), flush=True)
    for name, solver in (("CFR", "CFRSolver"), ("CFR+", "CFRPlusSolver")):
        print(row(f"OpenSpiel, {name}", by_openspiel(game, solver, steps)), flush=True)


if __name__ == "__main__":
    main()

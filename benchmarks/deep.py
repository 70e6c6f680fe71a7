"""Bidders with networks: revenue and exploitability at w = .7 to 1; `--sweep` times all of a study in a process for each core.

Without it, ten rounds of four designs are run, and the time of 50 designs × 10 rounds is reckoned from their CPU time.
"""

import argparse
import os
import resource
import time

import numpy as np

from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism
from allpay.cores import cores
from allpay.learners import DQN, PPO, Learner, run_seeds
from allpay.outcome import Outcome
from allpay.study import Study, run

WEIGHTS = (0.7, 0.8, 0.9, 1.0)
DESIGNS, ROUNDS = 50, 10


def games(learner: Learner, weights: np.ndarray) -> list[Game]:
    return [learner.setting.game(Mechanism.from_weights("prizes", float(w), 3)) for w in weights]


def timed(learner: Learner, weights: np.ndarray, rounds: int) -> tuple[Outcome, float, float]:
    """What was learned, wall-clock and CPU seconds, compilation not counted."""
    wall, cpu = time.perf_counter(), time.process_time()
    outcome = learner.learn(games(learner, weights), run_seeds(0, len(weights), rounds))
    return outcome, time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--sweep", action="store_true", help="run 50 designs × 10 rounds of each learner as a study does"
    )
    if parser.parse_args().sweep:
        for learner in (DQN(), PPO()):
            wall = time.perf_counter()
            found = run(Study(learner=learner, samples=DESIGNS, rounds=ROUNDS), workers=cores())
            gain = float(found.table["relative_exploitability"].to_numpy().mean())
            print(
                f"{learner.name}: {time.perf_counter() - wall:.0f} s in {cores()} processes; to gain {gain:.4f}",
                flush=True,
            )
        return
    weights = np.array(WEIGHTS)
    for learner in (DQN(), PPO()):
        game = games(learner, weights[:1])[0]
        print(f"\n{learner.name}: `prizes`, 3 bidders, {len(game.value_grid)} private values, {game.bid_levels} bids")
        learner.learn([game], run_seeds(1, 1, 1))  # compile
        outcome, wall, cpu = timed(learner, weights, ROUNDS)
        print(
            f"{'w':>5}{'revenue':>9}{'closed form':>13}{'error':>8}{'sd':>7}{'realised':>10}{'to gain':>9}{'worst':>7}"
        )
        for d in np.unique(np.linspace(0, len(weights) - 1, 11).astype(int)):
            w, revenue, gain = weights[d], outcome.revenue[d], outcome.relative_exploitability[d]
            print(
                f"{w:5.2f}{revenue.mean():9.4f}{w / 2:13.4f}{revenue.mean() / (w / 2) - 1:8.1%}{revenue.std(ddof=1):7.4f}"
                f"{outcome.realised_revenue[d].mean():10.4f}{gain.mean():9.4f}{gain.max():7.4f}"
            )
        runs = outcome.iterations.size
        sweep = cpu / runs * DESIGNS * ROUNDS / 60  # more than the clock of undisturbed cores: work is spread over them
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{outcome.auctions / 1e6:,.0f} million auctions, {runs} runs: {wall:.0f} s, {cpu:.0f} s of CPU time; "
            f"{outcome.auctions / wall / 1e6:.2f} million auctions a second by the clock, "
            f"{outcome.auctions / cpu / 1e6:.2f} per core"
        )
        print(
            f"50 designs × 10 rounds: {sweep:.1f} minutes of CPU time "
            f"(this run had {cpu / wall:.1f} of {os.cpu_count()}); {memory:,.0f} MB at most"
        )


if __name__ == "__main__":
    main()

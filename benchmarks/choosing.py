"""Every learner in every setting: how near to equilibrium, at what cost; the page docs/choosing-a-learner.md.

    python benchmarks/choosing.py                                    # print the page; ten minutes on 2 cores
    python benchmarks/choosing.py --out docs/choosing-a-learner.md   # and write it

Each learner is as it is without options, each pair of learner and setting in a process of its own, whose peak memory is
measured. Times are CPU time, which other work on the machine hardly changes; compilation is not counted.
"""

import argparse
import platform
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from os import cpu_count
from pathlib import Path
from typing import Any

from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism
from allpay.contest.values import Common
from allpay.learners import LEARNERS, run_seeds
from allpay.theory import equilibrium

WEIGHTS = (0.5, 0.8, 1.0)
ROUNDS = 3
SETTINGS: dict[str, dict[str, Any]] = {
    "prizes, private values": {},
    "prizes, private values, cost b²": {"cost_power": 2.0},
    "prizes, private values, 10 bidders": {"bidders": 10},
    "payments, private values": {"rule": "payments"},
    "prizes, a common value": {"common": True},
    "prizes, a common value, CARA ρ = 2": {"common": True, "risk_aversion": 2.0},
}


def game_of(
    learner: str, w: float, rule: str = "prizes", bidders: int = 3, common: bool = False, **more: float
) -> Game:
    """A design in the learner's usual setting, but for what is given."""
    setting = replace(LEARNERS[learner]().setting, **more)  # type: ignore[attr-defined]
    return replace(setting, values=Common() if common else setting.values).game(
        Mechanism.from_weights(rule, w, bidders)
    )


def measure(learner: str, setting: str) -> tuple[list[float], list[float], float, float, float]:
    """By weight, the mean relative exploitability and the error of mean revenue; share converged; CPU seconds a run; MiB."""
    games = [game_of(learner, w, **SETTINGS[setting]) for w in WEIGHTS]
    kind = LEARNERS[learner]
    seeds = run_seeds(0, len(games), ROUNDS)
    # one run compiles what all runs need; where it takes long it is also a run's time
    kind().learn(games[:1], seeds[:1, :1])
    start = time.process_time()
    found = kind().learn(games, seeds)
    seconds = (time.process_time() - start) / seeds.size
    errors = []
    for game, revenue in zip(games, found.revenue.mean(axis=1), strict=True):
        free = equilibrium(replace(game, overbidding=True))
        assert free is not None
        errors.append(float(revenue) / free.revenue - 1)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        found.relative_exploitability.mean(axis=1).tolist(),
        errors,
        float(found.converged.mean()),
        seconds,
        memory,
    )


def small(x: float) -> str:
    """Two digits, in powers of ten where small."""
    return (
        f"{x:.2f}"
        if x >= 0.095
        else f"{x:.3f}"
        if x >= 0.00095
        else f"{x:.0e}".replace("e-0", "e−").replace("e-", "e−")
    )


def table() -> str:
    lines = []
    for setting in SETTINGS:
        lines += [f"### {setting}", ""]
        lines += [
            "| learner | "
            + " | ".join(f"to gain, w = {w:g}" for w in WEIGHTS)
            + " | "
            + " | ".join(f"revenue off, w = {w:g}" for w in WEIGHTS)
            + " | converged | CPU s a run | peak MiB |"
        ]
        lines += ["|---|" + "--:|" * (2 * len(WEIGHTS) + 3)]
        for learner in LEARNERS:
            if getattr(LEARNERS[learner], "behaviour", ""):
                continue  # a model of what people bid is not after an equilibrium
            with ProcessPoolExecutor(1, get_context("spawn")) as alone:
                gains, errors, settled, seconds, memory = alone.submit(measure, learner, setting).result()
            cells = [small(x) for x in gains] + [f"{x:+.1%}".replace("-", "−") for x in errors]
            lines.append(f"| {learner} | {' | '.join(cells)} | {settled:.0%} | {seconds:.3f} | {memory:.0f} |")
            print(setting, lines[-1], flush=True)
        lines.append("")
    return "\n".join(lines)


PAGE = """\
# Which learner should I use?

| you want to know | use |
|---|---|
| what a design is worth in equilibrium, private values | `fictitious-play`, the default; or `allpay equilibrium`, by theory |
| the same, closer to equilibrium | `regret-matching`, or `interior-point`, which solves the game on the grid |
| what a design is worth in equilibrium, a common value | `interior-point`: none of the rules settles near w = ½ |
| what bidders would do who only see their own auctions | `epsilon-greedy` (a table) or `dqn`, `ppo` (networks) |
| what bidders would do on continuous bids | `ppo` with `--bids continuous` |
| whether a result depends on how bidders learn | two that differ: say `fictitious-play` and `ppo` |
| what people would bid, who err | `logit-equilibrium`, see [theory](theory.md#people-as-they-bid) |
| how something of your own learns | `--learner mymodule:MyLearner`, see [agents](agents.md) |

How to read a verdict that is not *converged*:

- *still learning*: more `--iterations`, or a learner that settles sooner. `allpay simulate` says about how many times as
  many it takes, at the rate at which the gain fell, or that the gain rose in the last tenth of the run. If it takes more than
  ten times as many, or the gain rose, take another learner.
- *circling*: more iterations will not help. Revenue is then an average over the circle, or what bidders who chase each other
  happen to bid at the end. Take `interior-point` for the equilibrium, and the learner's number as what such bidders would pay.
- *not solved*: said of `interior-point` and `logit-equilibrium`. The bids mean nothing then. Other rounds of the former start
  elsewhere and may succeed; so may another grid, or more noise. Else take a learner.
- With several equilibria (a common value and more than two bidders; a coarse grid) rounds may end in different ones: look at
  the spread between rounds, and at the sentence on symmetry that `allpay simulate` prints.

The time of a sweep is the time of a run × designs × rounds ÷ cores. Memory is that of the whole process with its libraries; it
does not grow with the number of designs, which are learned in batches.

## When a round has converged

A round is judged by three numbers, all exact on the grid:

1. what a bidder gains by a best response, as a part of the top prize at the highest value;
2. the same gain as a part of what the bidder spends;
3. the part of revenue that comes from spending which its bidders would rather save.

It has converged when the first is at most the tolerance, 1 %, and the others at most five times that, 5 %. The first alone is
not enough. Where values are concentrated far below the highest, hardly any bidder could gain 1 % of the highest: with 50
bidders, values lognormal(−3, ½) and cost b², logit play ends with a gain of .08 % of the top prize, and with 1.7 times the
equilibrium's revenue. The third is for costs such as b², where small bids cost next to nothing and still bring revenue. A gain
below .1 % of what bidders win counts as none.

Measured on 227 random games (2 to 16 bidders, several prizes, first price, concentrated values, costs, risk aversion), four
learners each, against the equilibrium on the same grid:

| | called converged | of these, revenue more than 5 % off | more than 10 % off | within 2 %, yet not called converged |
|---|--:|--:|--:|--:|
| usual iterations | 837 of 908 | 1.8 % | 0 | 1.7 % |
| usual iterations, the first number alone | 893 of 908 | 5.3 % | 2.0 % | 0.4 % |
| 300 iterations | 530 of 908 | 5.1 % | 0 | 13.4 % |
| 300 iterations, the first number alone | 775 of 908 | 25.9 % | 15.1 % | 6.7 % |

*Still learning* and *circling* differ by the trend of the gain over the last seven eighths of the run: a line through its
logarithm over the logarithm of time. If the line falls fast enough to reach the tolerance, or a tenth of the gain, in 400 times
the iterations, and clearly so against its noise, the run is still learning.

## The measurements

Made by `python benchmarks/choosing.py --out docs/choosing-a-learner.md`, on {machine}. Weights (w, 1−w, 0, …), {rounds}
rounds; each learner as it is without options, on its usual grid: 64 values × 101 bids; 64 × 51 for `dqn` and `ppo`; 10 × 10,
no bid above the value, for `epsilon-greedy`, whose revenue differs from that of continuous bids by its grid too. *To gain*
is exploitability as a part of the top prize, mean over rounds; *revenue off* is the mean against the closed form on
continuous bids.

{table}"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, help="write the page to this file")
    options = parser.parse_args()
    page = PAGE.format(machine=f"{cpu_count()} cores ({platform.machine()})", rounds=ROUNDS, table=table())
    if options.out is not None:
        options.out.write_text(page, encoding="utf-8")
    else:
        print(page)


if __name__ == "__main__":
    main()

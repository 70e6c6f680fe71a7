"""How good the design found is in spaces of several dimensions, against the closed form, with real simulation.

Every bidder learns by `interior-point`, which reaches the equilibrium of the grid under each of these designs, on a grid so
fine that its error is small beside the differences between designs. The whole pipeline runs: sweep, surrogate, mirror ascent.
The design that it finds is then judged by theory alone: its regret is the part of the best equilibrium revenue that the
equilibrium under it falls short of. `best tried` is the same for the simulated design of highest revenue, which needs no
surrogate.

    python benchmarks/design_spaces.py [--seeds 3]      about 6 minutes of CPU time for each seed
"""

import argparse
import time

import numpy as np

from allpay.contest.game import Setting
from allpay.contest.values import Common, Private
from allpay.exact import best_in_theory
from allpay.learners import InteriorPoint
from allpay.pipeline import design
from allpay.study import DesignSpace, Study
from allpay.theory import equilibrium

CASES = {
    "common value, CARA ρ = 2": Setting(Common(), risk_aversion=2.0, bid_levels=201),
    "private values, cost b²": Setting(Private(), cost_power=2.0, bid_levels=201),
}
BIDDERS = (5, 10)
WAYS = {"uniform": ("sample", 300), "sobol": ("sample", 300), "active": ("active", 120)}


def regret(study: Study, weights: np.ndarray, best: float) -> float:
    exact = equilibrium(study.game(weights))
    assert exact is not None
    return 1 - exact.revenue / best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=1, help="how many runs of each, with seeds from 0")
    options = parser.parse_args()
    print("| case | n | dimensions | way | designs | regret | best tried | CPU s |")
    print("|---|---:|---:|---|---:|---:|---:|---:|")
    for title, setting in CASES.items():
        for n in BIDDERS:
            space = DesignSpace("prizes", n)
            exact = best_in_theory(space, setting)
            assert exact is not None
            for way, (strategy, samples) in WAYS.items():
                for seed in range(options.seeds):
                    start = time.process_time()
                    study = Study(
                        space,
                        InteriorPoint(auctions=1),
                        setting,
                        samples=samples,
                        rounds=1,
                        seed=seed,
                        sampling=None if strategy == "active" else way,
                        strategy=strategy,
                    )
                    found = design(study)
                    seconds = time.process_time() - start
                    tried = found.sweep.weights[found.sweep.values()[:, 0].argmax()]
                    ends = [regret(study, weights, exact.value) for weights in (found.optimum.weights, tried)]
                    cells = (title, n, space.polytope.freedom, way, found.sweep.designs)
                    print(
                        f"| {' | '.join(map(str, cells))} | {ends[0]:.2%} | {ends[1]:.2%} | {seconds:.0f} |", flush=True
                    )


if __name__ == "__main__":
    main()

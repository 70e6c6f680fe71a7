"""How often the interval of a study's value holds theory's value at the design that it recommends.

Studies of private values: two to six bidders, values uniform, powers, Beta or lognormal, costs b to b², both rules, 51 or 101
bids, 32 or 64 values; each 10 designs × 4 rounds of fictitious play. The truth is the equilibrium on continuous bids at the
design that the study recommends, so that the interval must hold chance, the grid's error and what is left to learn.

    python benchmarks/against_theory.py [--studies 40] [--first 0]      about 5 s a study, on one core
"""

import argparse

import numpy as np

import allpay
from allpay import Beta, DesignSpace, FictitiousPlay, Lognormal, Power, Private, Study, Uniform
from allpay.contest.game import Setting


def drawn(number: int) -> Study:
    """The study of that number."""
    rng = np.random.default_rng([number, 77])
    bidders = int(rng.integers(2, 7))
    least = rng.uniform(0, 0.5)
    values = (
        Uniform(least, least + rng.uniform(0.3, 1)),
        Power(float(np.exp(rng.uniform(np.log(0.5), np.log(4))))),
        Beta(rng.uniform(0.8, 5), rng.uniform(0.8, 8)),
        Lognormal(rng.uniform(-2, 0), rng.uniform(0.3, 0.8), rng.uniform(1, 2)),
    )[rng.integers(4)]
    setting = Setting(
        Private(values, levels=int(rng.choice([32, 64]))),
        cost_power=float(rng.choice([1, 1, 1.5, 2])),
        bid_levels=int(rng.choice([51, 101, 101])),
    )
    rule = "prizes" if bidders == 2 else str(rng.choice(["prizes", "prizes", "payments"]))
    space = DesignSpace(rule, bidders=bidders)
    return Study(space, FictitiousPlay(auctions=100), setting, samples=10, rounds=4, seed=number)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--studies", type=int, default=40)
    parser.add_argument("--first", type=int, default=0, help="the first study")
    args = parser.parse_args()
    rows = []
    print(
        "study  bidders  rule      value    interval            theory   off       of half the interval: grid, learning  held"
    )
    for number in range(args.first, args.first + args.studies):
        study = drawn(number)
        result = allpay.design(study)
        best, exact = result.optimum, result.exact
        if exact is None:
            continue
        held, half = best.low <= exact <= best.high, best.high - best.value
        rows.append((held, half / exact, bool(result.check.converged.all())))
        print(
            f"{number:5d}  {study.space.bidders:7d}  {study.space.rule:8}  {best.value:.4f}   {best.low:.4f} to {best.high:.4f}"
            f"    {exact:.4f}   {best.value / exact - 1:+.2%}   {result.grid / half:4.0%} {result.learning / half:4.0%}  "
            f"{'yes' if held else 'NO'}{'' if rows[-1][2] else ', not converged'}",
            flush=True,
        )
    held, halves, settled = (np.array(column) for column in zip(*rows, strict=True))
    print(
        f"held {held.sum()} of {held.size}; of those whose fresh rounds all converged {held[settled].sum()} of {settled.sum()}"
    )
    print(
        f"half the interval: median {np.median(halves):.2%} of theory's value, nine in ten below {np.quantile(halves, 0.9):.2%}"
    )


if __name__ == "__main__":
    main()

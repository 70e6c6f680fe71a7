"""Regret against the number of designs: sampling, the active strategy, and Optuna's TPE and GP samplers; a table and a figure.

Three cases have the closed form as their simulation, with normal noise of ½ % of the best revenue on every design: between
ten rounds of fictitious play (under .01 %) and ten of epsilon-greedy (2 %). In the fourth, bidders learn by `interior-point`
on a grid of 101 bids; there is no noise, but there is the grid's error. Regret is what the equilibrium under the design that
a program would recommend falls short of the best, as a part of it, by theory.

What is recommended. Sampling and the active strategy: where the mean of the ensemble fitted to all designs so far is highest.
Optuna: the trial of highest value, `study.best_trial`. Since that suffers from noise, the table has also what the same
ensemble, fitted to Optuna's trials, would recommend: a comparison of the choice of designs alone. The ensemble is the small
one that chooses designs; the one of the final answer is larger, and takes too long to be fitted some thousand times.

All have the same parameters: Optuna sees the stick-breaking coordinates of `allpay.adapters.optuna`.

    python benchmarks/active.py [--seeds 20] [--out docs/active.png] [--load FILE]     10 to 15 minutes on 2 cores

`--out` draws the figure, and puts the numbers beside it (.json), from which `--load` draws it again.
"""

import argparse
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from allpay.acquisition import next_designs
from allpay.contest.game import Array, Setting
from allpay.contest.values import Common, Private
from allpay.exact import best_in_theory
from allpay.learners import InteriorPoint, run_seeds
from allpay.optimum import ascend_mean
from allpay.simplex import looked_at
from allpay.study import DesignSpace, Study
from allpay.surrogate import FEWEST_DESIGNS, QUICK, fit_surrogate
from allpay.theory import design_objective

NOISE = 0.005
AVERSE, CONVEX = Setting(Common(), risk_aversion=2.0), Setting(Private(levels=32), cost_power=2.0)
FIT = " + fit"


@dataclass(frozen=True)
class Case:
    """A space, how many designs there may be, and whether bidders learn in truth."""

    title: str
    bidders: int
    setting: Setting
    counts: tuple[int, ...]
    simulated: bool = False


CASES = (
    Case("3 bidders, common value, CARA ρ = 2", 3, AVERSE, (6, 8, 12, 16, 20, 24)),
    Case("5 bidders, private values, cost b²", 5, CONVEX, (8, 12, 16, 24, 32, 44)),
    Case("10 bidders, private values, cost b²", 10, CONVEX, (18, 26, 34, 42, 52, 65)),
    Case("5 bidders, the same, simulated", 5, CONVEX, (8, 12, 16, 24, 32, 44), simulated=True),
)
WAYS = ("uniform", "Sobol", "active", "TPE", "GP")


@cache
def known(case: Case):  # type: ignore[no-untyped-def]
    """The space, the closed form of revenue and the best revenue."""
    space = DesignSpace("prizes", case.bidders)
    best = best_in_theory(space, case.setting)
    assert best is not None
    return space, design_objective(case.setting.game(space.mechanism(best.weights)), "prizes"), best.value


def tried(case: Case, weights: Array, rng: np.random.Generator) -> Array:
    """What is seen of designs."""
    space, exact, best = known(case)
    if not case.simulated:
        return exact(weights)[0] + NOISE * best * rng.standard_normal(len(weights))
    games = [case.setting.game(space.mechanism(w)) for w in weights]
    return InteriorPoint(auctions=1).learn(games, run_seeds(0, len(games), 1)).revenue[:, 0]


def regret(case: Case, weights: Array) -> float:
    _, exact, best = known(case)
    return float(1 - exact(weights)[0] / best)


def recommended(case: Case, weights: Array, values: Array, seed: int) -> Array:
    """What an ensemble recommends; of too few designs to fit one, the best."""
    if len(weights) < FEWEST_DESIGNS:
        return weights[values.argmax()]
    polytope = known(case)[0].polytope
    surrogate = fit_surrogate(weights, values, seed, **QUICK)
    return ascend_mean(surrogate, np.concatenate(looked_at(polytope, 501, seed)), polytope)


def one(case: Case, way: str, seed: int) -> dict[str, list[float]]:
    """The regret at each count of designs, by what is recommended."""
    rng = np.random.default_rng([seed, len(way)])
    weights, values = (_by_optuna if way in ("TPE", "GP") else _by_us)(case, way, seed, rng)
    told = {}
    if way in ("TPE", "GP"):
        told[way] = [regret(case, weights[values[:count].argmax()]) for count in case.counts]
    fits = [recommended(case, weights[:count], values[:count], seed) for count in case.counts]
    told[way + FIT if told else way] = [regret(case, w) for w in fits]
    return told


def _by_us(case: Case, way: str, seed: int, rng: np.random.Generator) -> tuple[Array, Array]:
    space, _, _ = known(case)
    if way != "active":
        weights = space.sample(case.counts[-1], seed, way.lower())
        return weights, tried(case, weights, rng)
    study = Study(space, samples=case.counts[-1], seed=seed, strategy="active")
    weights = study.designs
    values = tried(case, weights, rng)
    for stage in study.stages[1:]:
        surrogate = fit_surrogate(weights, values, seed, **QUICK)
        chosen = next_designs(surrogate, space.polytope, weights, len(stage), seed + len(weights))
        weights, values = np.concatenate([weights, chosen]), np.concatenate([values, tried(case, chosen, rng)])
    return weights, values


def _by_optuna(case: Case, way: str, seed: int, rng: np.random.Generator) -> tuple[Array, Array]:
    import optuna

    from allpay.adapters.optuna import suggest_weights

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    weights = []

    def objective(trial: optuna.Trial) -> float:
        weights.append(suggest_weights(trial, case.bidders))
        return float(tried(case, np.array(weights[-1:]), rng)[0])

    if way == "GP":
        sampler = optuna.samplers.GPSampler(seed=seed, deterministic_objective=case.simulated)
    else:
        sampler = optuna.samplers.TPESampler(seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=case.counts[-1])
    return np.array(weights), np.array([trial.value for trial in study.trials])


def _run(task: tuple[int, str, int]) -> tuple[tuple[int, str, int], dict[str, list[float]], float]:
    import warnings

    warnings.simplefilter("ignore")  # Optuna's, of what is experimental
    start = time.process_time()
    return task, one(CASES[task[0]], *task[1:]), time.process_time() - start


def measure(seeds: int) -> list[dict[str, list[list[float]]]]:
    """For each case the regrets of every recommendation, `[seeds][counts]`."""
    tasks = [(c, way, seed) for way in reversed(WAYS) for c in range(len(CASES)) for seed in range(seeds)]
    found: list[dict[str, list[list[float]]]] = [{} for _ in CASES]
    spent = dict.fromkeys(WAYS, 0.0)
    workers = min(os.cpu_count() or 1, 8)
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "ALLPAY_THREADS"):
        os.environ[name] = "1"  # for the processes
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        for (case, way, _), told, seconds in pool.map(_run, tasks):
            spent[way] += seconds
            for name, regrets in told.items():
                found[case].setdefault(name, []).append(regrets)
    print("CPU seconds: " + ", ".join(f"{way} {seconds:.0f}" for way, seconds in spent.items()) + "\n")
    return found


def table(found: list[dict[str, list[list[float]]]]) -> str:
    """Median regret in percent, and the quartiles."""
    lines = []
    for case, told in zip(CASES, found, strict=True):
        shown = case.counts[1::2] if len(case.counts) > 4 else case.counts
        lines += [f"| {case.title} | " + " | ".join(f"{count} designs" for count in shown) + " |"]
        lines += ["|---|" + "---:|" * len(shown)]
        for name in [n for way in WAYS for n in (way, way + FIT) if n in told]:
            quartiles = np.quantile(100 * np.array(told[name]), [0.25, 0.5, 0.75], axis=0).T
            cells = [
                f"{middle:.2f} ({low:.2f}–{high:.2f})"
                for count, (low, middle, high) in zip(case.counts, quartiles, strict=True)
                if count in shown
            ]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def draw(found: list[dict[str, list[list[float]]]], path: Path) -> None:
    """A panel for each case: medians and quartiles of the regret over the number of designs."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, NullFormatter

    looks = {
        "uniform": ("#999999", "o"),
        "Sobol": ("#56B4E9", "s"),
        "TPE": ("#CC79A7", "v"),
        "GP": ("#D55E00", "^"),
        "active": ("#0072B2", "D"),
    }
    style = {"font.size": 8, "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.6}
    with mpl.rc_context(style):
        figure = Figure(figsize=(7.0, 4.9), layout="constrained")
        axes = figure.subplots(2, 2)
        for letter, case, told, ax in zip("abcd", CASES, found, axes.flat, strict=True):
            for name, (colour, marker) in looks.items():
                low, middle, high = np.quantile(100 * np.array(told[name]), [0.25, 0.5, 0.75], axis=0)
                front = 4 if name == "active" else 3
                ax.fill_between(
                    case.counts, np.maximum(low, 1e-6), high, color=colour, alpha=0.13, lw=0, zorder=front - 2
                )
                ax.plot(case.counts, middle, color=colour, marker=marker, ms=3.5, lw=1.3, zorder=front, label=name)
            ax.set_yscale("log")
            ax.set_ylim(5e-4, 5)
            ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
            ax.yaxis.set_minor_formatter(NullFormatter())
            ax.set_xticks(case.counts)
            ax.set_title(f"({letter}) {case.title}", loc="left", fontsize=8)
            ax.grid(axis="y", lw=0.3, color="0.85")
        for ax in axes[:, 0]:
            ax.set_ylabel("regret, % of the best revenue")
        for ax in axes[1]:
            ax.set_xlabel("designs tried")
        handles, names = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)
        figure.savefig(path, dpi=200, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=20, help="how many runs of each, with seeds from 0")
    parser.add_argument("--out", type=Path, help="draw the figure into this file")
    parser.add_argument("--load", type=Path, help="take the numbers from this file")
    options = parser.parse_args()
    start = time.perf_counter()
    found = json.loads(options.load.read_text()) if options.load else measure(options.seeds)
    print(table(found))
    print(f"{len(next(iter(found[0].values())))} seeds, {time.perf_counter() - start:.0f} s")
    if options.out:
        if not options.load:
            options.out.with_suffix(".json").write_text(json.dumps(found))
        draw(found, options.out)


if __name__ == "__main__":
    main()

"""One small auction, solved by other people's programs and by allpay, in one run: `python benchmarks/peers.py`.

Two bidders with private values, uniform on [0, 1]; the winner takes all, and everybody pays its bid. What each program finds is
judged by `allpay.evaluate`. A program that is not installed is left out.

On a grid of values and bids:

- OpenSpiel (counterfactual regret minimisation, fictitious play) gets the auction as a tree, by `allpay.adapters.openspiel`.
- Gambit (`pip install pygambit`) gets the same tree. Its algorithm for two players is Lemke's, on the sequence form (`lcp`).
- SODA (https://github.com/MOberlechner/soda, on PYTHONPATH) is given the auction as an `AllPayAuction` with the same grid, and
  learns by what it has, with the steps of its own configurations.

On continuous bids, bnelearn (https://github.com/heidekrueger/bnelearn, on PYTHONPATH) trains a network by evolution strategies
with its default settings. Its bids are judged on a fine grid, and so are allpay's, which learned on a coarser one.

Times are of the processor, all threads together, so that other work on the machine does not count. The programs are general,
each in its way; allpay knows that this is an auction.
"""

import argparse
import io
import multiprocessing
import sys
import time
import types
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np

from allpay import Game, Mechanism, Private, Uniform, evaluate
from allpay.adapters import openspiel
from allpay.learners import FictitiousPlay, InteriorPoint, Learner, RegretMatching, learn

Found = tuple[float, float, float]
"""Seconds, revenue, and what a bidder could still gain."""

GAINS = (0.01, 0.001)
"""Of the prize: what a bidder may still gain."""

LONGEST = 20.0
"""Seconds that a solver may take; Gambit, which has an answer only at its end, and bnelearn ten times as many."""

FINE = (512, 2001)
"""Values and bids of the grid on which continuous bids are judged."""

SODA = {
    "dual averaging, entropic": ("dual_averaging.SODA", {"regularizer": "entropic", "eta": 50.0, "beta": 0.05}),
    "dual averaging, Euclidean": ("dual_averaging.SODA", {"regularizer": "euclidean", "eta": 1.0, "beta": 0.5}),
    "mirror ascent": ("mirror_descent.SOMA", {"mirror_map": "euclidean", "eta": 1.0, "beta": 0.5}),
    "Frank-Wolfe": ("frank_wolfe.FrankWolfe", {"method": "standard"}),
    "fictitious play": ("fictitious_play.FictitiousPlay", {}),
}
"""The learners of SODA, with the numbers of its configurations."""


def auction(values: int, bids: int) -> Game:
    return Game(Mechanism(prizes=(1, 0), payments=(1, 1)), Private(Uniform(0, 1), values), bid_levels=bids)


def judged(game: Game, strategy: np.ndarray) -> tuple[float, float]:
    """The revenue of a profile, and what a bidder could still gain."""
    found = evaluate(game, strategy)
    return float(found.revenue), float(np.max(found.exploitability))


def by_allpay(game: Game, learner: Callable[[int], Learner], steps: list[int]) -> list[Found]:
    """After so many iterations, each from the start; what is compiled is compiled before."""
    learn(game, learner(steps[0]), rounds=1)
    found = []
    for count in steps:
        start = time.process_time()
        outcome = learn(game, learner(count), rounds=1)
        found.append((time.process_time() - start, *judged(game, outcome.strategy[0, 0])))
    return found


OPENSPIEL = {
    "CFR": ("pyspiel", "CFRSolver", "evaluate_and_update_policy"),
    "CFR+": ("pyspiel", "CFRPlusSolver", "evaluate_and_update_policy"),
    "fictitious play": ("open_spiel.python.algorithms.fictitious_play", "XFPSolver", "iteration"),
}
"""Solvers of OpenSpiel, and what takes a step: two in C++, and extensive-form fictitious play in Python (Heinrich, Lanctot &
Silver 2015)."""


def by_openspiel(game: Game, module: str, solver: str, step: str, steps: list[int]) -> list[Found]:
    """The same of a solver of OpenSpiel's, of its average policy."""
    form = openspiel.extensive_form(game)
    made = getattr(import_module(module), solver)(form)
    take = getattr(made, step)
    found, spent, done = [], 0.0, 0
    for count in steps:
        start = time.process_time()
        while done < count and spent + time.process_time() - start < LONGEST:
            take()
            done += 1
        spent += time.process_time() - start
        strategy = openspiel.strategy_of_policy(game, form, made.average_policy())
        found.append((spent, *judged(game, strategy)))
        if done < count:
            break
    return found


def by_gambit(game: Game) -> list[Found]:
    """Lemke's algorithm on the sequence form, in a process that ends when it takes too long."""
    import pygambit  # noqa: F401  that it is there is found out here

    here, there = multiprocessing.Pipe(duplex=False)
    solver = multiprocessing.get_context("spawn").Process(target=_gambit, args=(openspiel.gambit(game), there))
    solver.start()
    there.close()
    try:
        spent, bidders = here.recv()
    except EOFError:
        return []
    finally:
        solver.join()
    strategy = np.zeros((game.bidders, game.value_levels, game.bid_levels))
    for table, rows in zip(strategy, bidders, strict=True):
        for row, chances in zip(table, rows, strict=True):
            row[: len(chances)] = np.maximum(chances, 0) / np.sum(np.maximum(chances, 0))
    return [(spent, *judged(game, strategy))]


def _gambit(form: str, there: Any) -> None:
    import resource

    import pygambit

    resource.setrlimit(resource.RLIMIT_CPU, (round(10 * LONGEST), round(10 * LONGEST)))
    tree, start = pygambit.read_efg(io.BytesIO(form.encode())), time.process_time()
    found = pygambit.nash.lcp_solve(tree, rational=False).equilibrium
    spent = time.process_time() - start
    there.send((spent, [[[float(p) for _, p in mixture] for _, mixture in found[player]] for player in tree.players]))


def by_soda(game: Game, learner: str, parameter: dict[str, Any], steps: list[int]) -> list[Found]:
    """Its learners on its own form of the auction, each time from the start, where all bids are as likely."""
    from soda.util.config import Config

    top = float(game.bid_grid[-1])
    config = Config(
        {
            "mechanism": "soda.mechanism.all_pay.AllPayAuction",
            "bidder": ["1", "1"],
            "o_space": {"1": [0.0, 1.0]},
            "a_space": {"1": [0.0, top]},
            "param_prior": {"distribution": "uniform"},
            "param_util": {
                "tie_breaking": "random",
                "payment_rule": "first_price",
                "type": "value",
                "utility_type": "RN",
            },
            "n": game.value_levels,
            "m": game.bid_levels,
        },
        {
            "learner": f"soda.learner.{learner}",
            "max_iter": steps[0],
            "tol": 1e-12,
            "stop_criterion": "util_loss",
            "parameter": {"steprule_bool": "eta" in parameter, **parameter},
        },
    )
    found = []
    for count in steps:
        config.config_learner["max_iter"] = count
        form, solver = config.create_setting()
        strategies = config.create_strategies(form, "equal")
        start = time.process_time()
        solver.run(form, strategies)
        spent = time.process_time() - start
        chances = strategies["1"].x
        found.append((spent, *judged(game, (chances / chances.sum(axis=1, keepdims=True))[None])))
    return found


def by_bnelearn(fine: Game, steps: list[int]) -> list[Found]:
    """A network of bids, trained by evolution strategies, after so many steps."""
    import torch

    # names that bnelearn, of 2023, imports, and newer libraries do not have; the programs are for auctions of several goods
    torch.cuda._device_t, np.MAXDIMS = Any, 32
    for solver in ("cvxpy", "gurobipy"):
        sys.modules.setdefault(solver, types.ModuleType(solver))
    from bnelearn.bidder import Bidder
    from bnelearn.environment import AuctionEnvironment
    from bnelearn.learner import ESPGLearner
    from bnelearn.mechanism.auctions_single_item import AllPayAuction
    from bnelearn.sampler import UniformSymmetricIPVSampler
    from bnelearn.strategy import NeuralNetStrategy

    torch.manual_seed(0)
    torch.set_num_threads(1)
    batch = 2**14
    layers = {"hidden_nodes": [10, 10], "hidden_activations": [torch.nn.SELU(), torch.nn.SELU()]}
    model = NeuralNetStrategy(1, **layers, ensure_positive_output=torch.tensor([1.0]))
    model.pretrain(torch.linspace(0, 1, 1000).unsqueeze(-1), 500)

    def bidder(strategy: Any, batch_size: int, player_position: int | None = None) -> Any:
        return Bidder(strategy, batch_size=batch_size, player_position=player_position, enable_action_caching=False)

    environment = AuctionEnvironment(
        AllPayAuction(cuda=False),
        agents=[bidder(model, batch, 0), bidder(model, batch, 1)],
        valuation_observation_sampler=UniformSymmetricIPVSampler(0, 1, 2, 1, batch, "cpu"),
        batch_size=batch,
        n_players=2,
        strategy_to_player_closure=bidder,
    )
    learner = ESPGLearner(
        model=model,
        environment=environment,
        hyperparams={"population_size": 64, "sigma": 1.0, "scale_sigma_by_model_size": True},
        optimizer_type=torch.optim.Adam,
        optimizer_hyperparams={"lr": 1e-3},
        strat_to_player_kwargs={"player_position": 0},
    )
    values = torch.tensor(fine.value_grids[0], dtype=torch.float32).unsqueeze(-1)
    found, spent, done = [], 0.0, 0
    for count in steps:
        start = time.process_time()
        while done < count and spent + time.process_time() - start < 10 * LONGEST:
            environment.prepare_iteration()
            learner.update_strategy()
            done += 1
        spent += time.process_time() - start
        bids = model.play(values).detach().numpy().ravel().astype(float)
        found.append((spent, *judged(fine, split(fine, bids))))
    return found


def split(game: Game, bids: np.ndarray) -> np.ndarray:
    """`[1, values, bids]` bids between two of the grid as a mixture of both."""
    top = len(game.bid_grid) - 1
    place = np.clip(bids, 0, game.bid_grid[-1]) / game.bid_grid[-1] * top
    low = np.minimum(place.astype(int), top - 1)
    strategy, rows = np.zeros((1, len(bids), top + 1)), np.arange(len(bids))
    strategy[0, rows, low], strategy[0, rows, low + 1] = low + 1 - place, place - low
    return strategy


def row(name: str, found: list[Found]) -> str:
    """A line of the table: the first time at which each gain is reached, and what the last one is."""
    if not found:
        return f"| {name} | – | – | no answer | over {10 * LONGEST:.0f} s | – |"
    cells = []
    for gain in GAINS:
        first = next((seconds for seconds, _, left in found if left <= gain), None)
        cells.append("–" if first is None else f"{1000 * first:,.0f} ms")
    seconds, revenue, left = found[-1]
    return f"| {name} | {cells[0]} | {cells[1]} | {left:.1e} | {seconds:.2f} s | {revenue:.4f} |"


def table(rows: Iterator[tuple[str, Callable[[], list[Found]]]]) -> None:
    print(
        "| solver | gain ≤ 1 % of the prize | ≤ 0.1 % | gain at the end | after | revenue |\n|:---|---:|---:|---:|---:|---:|"
    )
    for name, measure in rows:
        try:
            print(row(name, measure()), flush=True)
        except ModuleNotFoundError as missing:
            print(f"| {name} | not run: {missing} |", flush=True)


def on_a_grid(game: Game) -> Iterator[tuple[str, Callable[[], list[Found]]]]:
    steps = [2**k for k in range(4, 15)]
    yield "allpay, fictitious play", lambda: by_allpay(game, lambda n: FictitiousPlay(iterations=n), steps)
    yield "allpay, regret matching", lambda: by_allpay(game, lambda n: RegretMatching(iterations=n), steps)
    yield "allpay, interior point", lambda: by_allpay(game, lambda n: InteriorPoint(), steps[:1])
    for name, (learner, parameter) in SODA.items():
        yield f"SODA, {name}", lambda learner=learner, given=parameter: by_soda(game, learner, given, steps)
    for name, given in OPENSPIEL.items():
        yield f"OpenSpiel, {name}", lambda given=given: by_openspiel(game, *given, steps)
    yield "Gambit, lcp", lambda: by_gambit(game)


def on_continuous_bids(fine: Game) -> Iterator[tuple[str, Callable[[], list[Found]]]]:
    yield "bids v²/2 of the equilibrium", lambda: [(0.0, *judged(fine, split(fine, fine.value_grids[0] ** 2 / 2)))]
    coarse = auction(64, 101)

    def learned() -> list[Found]:
        found = []
        for count in (16, 64, 256, 1024, 4096):
            learn(coarse, FictitiousPlay(iterations=16), rounds=1)
            start = time.process_time()
            outcome = learn(coarse, FictitiousPlay(iterations=count), rounds=1)
            spent = time.process_time() - start
            means = outcome.strategy[0, 0, 0] @ coarse.bid_grid
            bids = np.interp(fine.value_grids[0], coarse.value_grids[0], means)
            found.append((spent, *judged(fine, split(fine, bids))))
        return found

    yield "allpay, fictitious play (mean bids, 64 values × 101 bids)", learned
    yield "bnelearn, evolution strategies", lambda: by_bnelearn(fine, [10, 30, 100, 200])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, default=8)
    parser.add_argument("--bids", type=int, default=21)
    given = parser.parse_args()
    print(f"Two bidders, {given.values} values, {given.bids} bids; in equilibrium on continuous bids revenue is 1/3.\n")
    table(on_a_grid(auction(given.values, given.bids)))
    print(f"\nContinuous bids, judged on {FINE[0]} values and {FINE[1]} bids.\n")
    table(on_continuous_bids(auction(*FINE)))


if __name__ == "__main__":
    main()

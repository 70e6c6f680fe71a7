"""Running a study: designs in batches, each batch learned and kept as soon as it is done."""

from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from allpay.errors import AllpayError
from allpay.game import Array
from allpay.learners import run_seeds
from allpay.learners.base import Seeds, check_outcome
from allpay.outcome import Outcome, Verdict
from allpay.study.executors import executor
from allpay.study.store import Store, open_store
from allpay.study.study import TRAINING, Study, versions

DESIGNS_PER_BATCH = 5
"""Designs that are learned and kept together. No result depends on it."""

ATTEMPTS = 3
"""How often worker processes may die before the run is given up."""

Progress = Callable[[int, int], None]
"""Called with the number of designs done and of all designs."""


@dataclass(frozen=True)
class Sweep:
    """What a study found, a row per design and round.

    Attributes:
        study: the study that was run.
        table: the rows, by design and round, with the columns `design`, `round`, `w1`…`wn`, `revenue`, `highest_bid`,
            `realised_revenue`, `realised_highest_bid`, `payoff`, `exploitability`, `relative_exploitability`, `verdict`,
            `iterations` and `seed`.
        damaged: batches whose file could not be read and that were run again.
    """

    study: Study
    table: pl.DataFrame
    damaged: tuple[int, ...] = ()

    @property
    def weights(self) -> Array:
        """`[samples, bidders]` the designs."""
        return self.study.designs

    def values(self, column: str | None = None) -> Array:
        """`[samples, rounds]` of a column; of the study's objective if none is named."""
        column = column or self.study.objective.replace("-", "_")
        return self.table[column].to_numpy().reshape(self.study.samples, self.study.rounds)

    @property
    def verdicts(self) -> dict[str, int]:
        """How many runs got each verdict."""
        counts = dict(self.table.group_by("verdict").len().iter_rows())
        return {verdict.value: counts.get(verdict.value, 0) for verdict in Verdict}


def run(
    study: Study,
    folder: Path | str | None = None,
    progress: Progress | None = None,
    *,
    workers: int = 1,
    scheduler: str | None = None,
) -> Sweep:
    """Learn under every design of a study.

    Args:
        study: what to run.
        folder: where to keep finished batches. One that holds some of this study is gone on with.
        progress: is told how far it is.
        workers: how many processes learn; 1 is this one.
        scheduler: the address of a Dask scheduler whose workers learn instead.

    Raises:
        AllpayError: if the folder holds another study, is in use or cannot be written, or the workers are lost.
    """
    if folder is None:
        return _run(study, None, progress, workers, scheduler)
    with open_store(folder, study.specification(), versions()) as store:
        return _run(study, store, progress, workers, scheduler)


def batches_of(study: Study) -> list[range]:
    """The designs of each batch."""
    return [
        range(first, min(first + DESIGNS_PER_BATCH, study.samples))
        for first in range(0, study.samples, DESIGNS_PER_BATCH)
    ]


def finished(study: Study, store: Store) -> tuple[dict[int, pl.DataFrame], tuple[int, ...]]:
    """The tables of the batches that are whole, and the numbers of those that have a file which is not."""
    whole, damaged = {}, []
    for batch, designs in enumerate(batches_of(study)):
        if not store.has_batch(batch):
            continue
        table = store.read_batch(batch)
        expected = np.repeat(np.arange(designs.start, designs.stop), study.rounds)
        if table is not None and "design" in table.columns and np.array_equal(table["design"].to_numpy(), expected):
            whole[batch] = table
        else:
            damaged.append(batch)
    return whole, tuple(damaged)


def learn_batch(study: Study, designs: range) -> pl.DataFrame:
    """The rows of some designs of a study: a function of the study and their numbers alone, wherever it is computed."""
    seeds = run_seeds(study.seed, designs, study.rounds, TRAINING)
    games = [study.game(study.designs[d]) for d in designs]
    outcome = study.learner.learn(games, seeds)
    check_outcome(outcome, study.learner, games, seeds)
    return table_of(outcome, study.designs[designs.start : designs.stop], seeds, designs.start)


def _run(study: Study, store: Store | None, progress: Progress | None, workers: int, scheduler: str | None) -> Sweep:
    batches = batches_of(study)
    tables, damaged = finished(study, store) if store else ({}, ())

    def tell() -> None:
        if progress:
            progress(sum(len(batches[b]) for b in tables), study.samples)

    def keep(batch: int, table: pl.DataFrame) -> None:
        if store:
            store.write_batch(batch, table)
        tables[batch] = table
        tell()

    tell()
    for _ in range(ATTEMPTS):
        missing = [b for b in range(len(batches)) if b not in tables]
        if not missing:
            break
        try:
            with executor(workers if len(missing) > 1 else 1, scheduler) as pool:
                _learn_all(study, batches, missing, pool, keep)
        except BrokenExecutor:  # a worker process has died: what is missing is begun again with new ones
            continue
        except (CancelledError, OSError) as error:
            if scheduler is None:
                raise
            lost = f"lost the Dask scheduler at {scheduler} ({type(error).__name__})"
            raise AllpayError(f"{lost}: finished batches are kept, and the same command goes on from there") from None
    else:
        raise AllpayError(f"worker processes died {ATTEMPTS} times, perhaps for lack of memory: give fewer workers")
    return Sweep(study, pl.concat([tables[b] for b in range(len(batches))]), damaged)


def _learn_all(
    study: Study,
    batches: list[range],
    missing: list[int],
    pool: Executor | None,
    keep: Callable[[int, pl.DataFrame], None],
) -> None:
    if pool is None:
        for batch in missing:
            keep(batch, learn_batch(study, batches[batch]))
        return
    futures = {pool.submit(learn_batch, study, batches[batch]): batch for batch in missing}
    for future in as_completed(futures):
        keep(futures[future], future.result())


def table_of(outcome: Outcome, weights: Array, seeds: Seeds, first: int = 0) -> pl.DataFrame:
    """The rows of an outcome, in the columns of `Sweep.table`."""
    designs, rounds = seeds.shape
    columns: dict[str, np.ndarray] = {
        "design": np.repeat(np.arange(first, first + designs), rounds),
        "round": np.tile(np.arange(rounds), designs),
    }
    for k in range(weights.shape[1]):
        columns[f"w{k + 1}"] = np.repeat(weights[:, k], rounds)
    for name in (
        "revenue",
        "highest_bid",
        "realised_revenue",
        "realised_highest_bid",
        "payoff",
        "exploitability",
        "relative_exploitability",
    ):
        columns[name] = getattr(outcome, name).ravel()
    columns |= {"verdict": outcome.verdicts.ravel(), "iterations": outcome.iterations.ravel(), "seed": seeds.ravel()}
    return pl.DataFrame(columns)

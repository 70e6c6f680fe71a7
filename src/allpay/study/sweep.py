"""Running a study: designs in batches, each batch learned and kept as soon as it is done."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from allpay.game import Array
from allpay.learners import run_seeds
from allpay.learners.base import Seeds
from allpay.outcome import Outcome, Verdict
from allpay.study.store import open_store
from allpay.study.study import TRAINING, Study, versions

DESIGNS_PER_BATCH = 5
"""Designs that are learned and kept together. No result depends on it."""

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


def run(study: Study, folder: Path | str | None = None, progress: Progress | None = None) -> Sweep:
    """Learn under every design of a study.

    Args:
        study: what to run.
        folder: where to keep finished batches. One that holds some of this study is gone on with.
        progress: is told how far it is.

    Raises:
        AllpayError: if the folder holds another study or cannot be written.
    """
    store = None if folder is None else open_store(folder, study.specification(), versions())
    progress = progress or (lambda done, total: None)
    progress(0, study.samples)
    tables, damaged = [], []
    for batch, first in enumerate(range(0, study.samples, DESIGNS_PER_BATCH)):
        designs = range(first, min(first + DESIGNS_PER_BATCH, study.samples))
        table = store.read_batch(batch) if store else None
        if table is None:
            if store and store.is_damaged(batch):
                damaged.append(batch)
            seeds = run_seeds(study.seed, designs, study.rounds, TRAINING)
            outcome = study.learner.learn([study.game(study.designs[d]) for d in designs], seeds)
            table = table_of(outcome, study.designs[designs.start : designs.stop], seeds, first)
            if store:
                store.write_batch(batch, table)
        tables.append(table)
        progress(designs.stop, study.samples)
    return Sweep(study, pl.concat(tables), tuple(damaged))


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

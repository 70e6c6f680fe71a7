"""A batch: how it travels to where it is learned, what is learned, and how that comes back."""

import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from allpay.contest.game import Array, Setting
from allpay.devices import check_devices
from allpay.errors import AllpayError
from allpay.learners import DEEP, LEARNERS, Learner, run_seeds
from allpay.learners.base import Seeds, outcome_from, threads_limited
from allpay.objectives import objective
from allpay.outcome import Outcome
from allpay.progress import listening
from allpay.study.bids import MOST_VALUES, bids_of, most_values
from allpay.study.outcomes import outcomes_of
from allpay.study.store import schema_of
from allpay.study.study import TRAINING, DesignSpace, Study
from allpay.versions import precision, versions


@dataclass(frozen=True)
class Task:
    """All that a batch depends on, and no more: a study may have a million designs.

    Attributes:
        space, setting, learner, rounds, seed: as in `Study`.
        first: the number of its first design.
        weights: `[designs, n]` the designs: their weights, and what is chosen beside them.
        checkpoint: where its runs may be kept meanwhile, if the learner can; that is done where the file's folder exists.
        threads: how many threads it may take; None if there is no limit.
        values: at how many values of a group bids are kept.
        objectives: what is computed at once, where no folder keeps what it could be computed from.
        runs: how many runs the whole study has, where a folder keeps outcomes; 0 where none does.
    """

    space: DesignSpace
    setting: Setting
    learner: Learner
    rounds: int
    seed: int
    first: int
    weights: Array
    checkpoint: Path | None = None
    threads: int | None = None
    values: int = MOST_VALUES
    objectives: tuple[str, ...] = ()
    runs: int = 0


@dataclass(frozen=True)
class Answer:
    """What became of a batch.

    Attributes:
        table: its rows, as in `Sweep.table`; None if it failed.
        versions: of what computed it.
        seconds: how long that took.
        told: what must be known of it.
        bids: what was bid, as in `Sweep.bids`.
        outcomes: what is kept of outcomes, as in `outcomes_of`; None if that is not wanted, or too much.
        values: `[runs]` the objectives that were asked for, by their texts.
        fault: what was wrong, in words, if it failed.
        trace: where in the code that was.
    """

    table: pl.DataFrame | None
    versions: dict[str, str]
    seconds: float
    told: tuple[str, ...] = ()
    fault: str = ""
    trace: str = ""
    bids: pl.DataFrame | None = None
    outcomes: pl.DataFrame | None = None
    values: dict[str, Array] = field(default_factory=dict)


def task_of(
    study: Study,
    first: int,
    weights: Array,
    checkpoint: Path | None = None,
    threads: int | None = None,
    objectives: tuple[str, ...] = (),
    keep: bool = False,
) -> Task:
    """The task of learning some designs of a study, the first of which has this number."""
    assert study.setting is not None
    same = (study.space, study.setting, study.learner, study.rounds, study.seed)
    runs = study.samples * study.rounds if keep else 0
    return Task(*same, first, weights, checkpoint, threads, kept_values(study), objectives, runs)


def kept_values(study: Study) -> int:
    """At how many values of a group the bids of a study are kept."""
    assert study.setting is not None
    return most_values(study.setting.values, study.samples * study.rounds)


def learn_batch(task: Task) -> Answer:
    """Learn a batch: a function of the task alone, wherever it is computed. It returns whatever happens."""
    begun = time.perf_counter()
    told: list[str] = []
    found: dict[str, Any] = {"table": None}
    try:
        with threads_limited(task.threads), listening(tell=told.append):
            found = _learn(task)
    except Exception as error:  # perhaps of a kind that is not known where it would travel to
        found |= {"fault": in_words(error), "trace": traceback.format_exc()}
    return Answer(versions=computing(task.learner), seconds=time.perf_counter() - begun, told=tuple(told), **found)


def computing(learner: Learner) -> dict[str, str]:
    """What computes the runs of a learner here: the versions, the device of those that JAX trains, and the precision of JAX in
    learners that are not allpay's own, for which it is not pinned."""
    if LEARNERS.get(learner.name) is not type(learner):
        return {**versions(), "precision": precision()}
    if learner.name not in DEEP:
        return versions()
    check_devices()
    import jax

    return {**versions(), "device": jax.devices()[0].device_kind}


def in_words(error: BaseException) -> str:
    """What an error says, in one line."""
    text = " ".join(str(error).split())
    if isinstance(error, AllpayError):
        return text
    if isinstance(error, MemoryError):
        detail = f" ({text})" if text else ""
        return f"out of memory{detail}: give fewer workers, or fewer bidders, values or bids"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _learn(task: Task) -> dict[str, Any]:
    """The rows of a batch, what was bid, what is kept of outcomes, and objectives: fields of an `Answer`."""
    designs = range(task.first, task.first + len(task.weights))
    seeds = run_seeds(task.seed, designs, task.rounds, TRAINING)
    games = [task.space.game(task.setting, tuple(design)) for design in task.weights.tolist()]
    kept = task.checkpoint is not None and task.checkpoint.parent.is_dir()
    outcome = outcome_from(task.learner, games, seeds, task.checkpoint if kept else None)
    return {
        "table": table_of(outcome, task.space.names, task.weights, seeds, task.first),
        "bids": bids_of(outcome, task.first, task.values),
        "outcomes": outcomes_of(outcome, task.first, task.runs) if task.runs else None,
        "values": {text: objective(text).values(outcome).ravel() for text in task.objectives},
    }


def table_of(outcome: Outcome, names: Sequence[str], weights: Array, seeds: Seeds, first: int = 0) -> pl.DataFrame:
    """The rows of an outcome, in the columns of `Sweep.table`; `weights` has a row per design, in columns of these names."""
    designs, rounds = seeds.shape
    columns: dict[str, np.ndarray] = {
        "design": np.repeat(np.arange(first, first + designs), rounds),
        "round": np.tile(np.arange(rounds), designs),
    }
    for name, column in zip(names, weights.T, strict=True):
        columns[name] = np.repeat(column, rounds)
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
    kinds = schema_of(names)  # column by column: a cast of the table needs threads, which a forked process lacks
    return pl.DataFrame([pl.Series(name, column, kinds[name]) for name, column in columns.items()])

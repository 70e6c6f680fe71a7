"""Running a study: designs in batches, each batch learned and kept as soon as it is done."""

import json
import math
import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, as_completed, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType

import numpy as np
import polars as pl

from allpay.contest.game import Array
from allpay.errors import AllpayError, short
from allpay.frozen import ByValue, Drawn, Framed
from allpay.learners import run_seeds
from allpay.objectives import objective, objectives
from allpay.outcome import Outcome, Verdict
from allpay.progress import listening, tell
from allpay.scalars import whole
from allpay.study.batches import batches_of, designs_per_batch
from allpay.study.bids import SCHEMA as BIDS_SCHEMA
from allpay.study.bids import bids_of
from allpay.study.executors import AHEAD, Pool, pool_of
from allpay.study.outcomes import MOST_BYTES, outcomes_of, restored
from allpay.study.received import Outline, parted, without_objective
from allpay.study.store import CHECKPOINTS, Held, Store, open_store, read_folder, schema_of
from allpay.study.study import TRAINING, Study
from allpay.study.task import (
    Answer,
    computing,
    in_words,
    kept_values,
    learn_batch,
    outcome_from,
    table_of,
    task_of,
)
from allpay.versions import difference, versions
from allpay.versions import in_words as versions_in_words

ATTEMPTS = 3
"""How often in a row worker processes may die, with no batch finished between, before the run is given up."""

PATIENCE = 2.0
"""Seconds after which workers that have not answered are looked after."""

NOT_KEPT = (
    f"more than {MOST_BYTES / 2**30:.0f} GiB of them are not kept, nor were any by an older allpay; take another folder, or "
    "fewer designs or rounds"
)
"""Why objectives that are no columns are not known in a folder."""

Progress = Callable[[float, int], None]
"""Called with the number of designs done, a part of one among them, and of all designs."""


@dataclass(frozen=True, eq=False)
class Sweep(ByValue, Drawn, Framed):
    """What a study found, a row per design and round.

    Attributes:
        study: the study that was run.
        table: the rows, by design and round, with the columns `design`, `round`, `w1`…`wn`, those of what is chosen beside the
            weights, `revenue`, `highest_bid`,
            `realised_revenue`, `realised_highest_bid`, `payoff`, `exploitability`, `relative_exploitability`, `verdict`,
            `iterations` and `seed`; and a column for each objective that was asked for and is none of these, by its text.
        damaged: batches whose file was not whole and that were run again.
        stopped: why an active study chose no more designs; empty for others.
        computed: which batches were computed by what, as `("0 to 7, 9", {"numpy": "2.4.0", …})`.
        bids: what bidders learned to bid, a row per design, round, group (from 1) and value: `mean`, `q10`, `q50` and `q90` of
            the bids at that value, in money; a bid of 0 may be to stay out. Without rows where it was not kept: while an active
            study chooses designs, and in batches of a folder that an older allpay has learned.
        searched: the objective by which an active study has chosen its designs, if that is another than the study's.
    """

    study: Study
    table: pl.DataFrame
    damaged: tuple[int, ...] = ()
    stopped: str = ""
    computed: tuple[tuple[str, dict[str, str]], ...] = ()
    bids: pl.DataFrame = field(default_factory=BIDS_SCHEMA.to_frame)
    searched: str = ""

    @property
    def designs(self) -> int:
        """How many designs were simulated: the study's samples, or as many as an active study chose."""
        return len(self.table) // self.study.rounds

    @property
    def weights(self) -> Array:
        """`[designs, n]` the designs: their weights, and what is chosen beside them."""
        return self.table.gather_every(self.study.rounds).select(self.study.space.names).to_numpy()

    @property
    def points(self) -> Array:
        """`[designs, n]` the designs as points of the polytope, on which surrogates are fitted."""
        return self.study.space.points(self.weights)

    def values(self, column: str | None = None) -> Array:
        """`[designs, rounds]` of a column; of the study's objective if none is named."""
        column = column or self.study.goal.column
        return self.table[column].to_numpy().reshape(-1, self.study.rounds)

    @property
    def verdicts(self) -> dict[str, int]:
        """How many runs got each verdict."""
        return verdicts(self.table)


Choose = Callable[[Sweep, int], Array | str]
"""Called with what an active study has found so far and with the number of designs that are wanted next: their weights
`[number, bidders]`, a function of the former alone, or, in words, why no more are needed."""


def verdicts(table: pl.DataFrame) -> dict[str, int]:
    """How many runs of a table got each verdict."""
    counts = dict(table.group_by("verdict").len().iter_rows())
    return {verdict.value: counts.get(verdict.value, 0) for verdict in Verdict}


def run(
    study: Study,
    folder: Path | str | Store | None = None,
    progress: Progress | None = None,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    choose: Choose | None = None,
    batch: int | None = None,
    also: Sequence[str] = (),
) -> Sweep:
    """Learn under every design of a study.

    Ctrl-C stops it when the batches that are being learned are kept, a second one at once; and the first at once where nothing
    would be lost: no folder is given, or the learner keeps its runs while they last.

    Args:
        study: what to run.
        folder: where to keep finished batches. One that holds some of this study is gone on with.
        progress: is told how far it is.
        workers: how many processes learn; 1 is this one.
        scheduler: the address of a Dask scheduler whose workers learn instead.
        choose: chooses the designs of an active study, see `allpay.pipeline.choose_next`.
        batch: how many designs are learned and kept together at most, where the folder does not say it; without it the study
            says it.
        also: objectives, beside the study's, that are to be columns of the table.

    Raises:
        AllpayError: if the folder holds another study, is in use or cannot be written, the workers are lost, a batch fails, or
            nobody chooses the designs of an active study.
    """
    if study.active and choose is None:
        raise AllpayError("an active study chooses designs by its results: run it by allpay.design, or give choose")
    workers = whole("workers", workers)
    size = designs_per_batch(study) if batch is None else whole("batch", batch)
    if size < 1:
        raise AllpayError(f"batch must be at least 1: got {size}")
    if isinstance(folder, Store) or folder is None:
        return _Run(study, folder, size, progress, workers, scheduler, also).run(choose)
    with open_store(folder, study.specification(), versions(), size) as store:
        return _Run(study, store, size, progress, workers, scheduler, also).run(choose)


def learn_one(study: Study, store: Store | None = None) -> Outcome:
    """All of the outcome of the only design of a study, whose rows, the same as those of `run`, are kept in a folder.

    Rows that are there already are learned again, for they say less than the outcome; it is told if they differ.
    """
    seeds = run_seeds(study.seed, 1, study.rounds, TRAINING)
    game = study.game(study.designs[0])
    checkpoint = None
    if store is not None and getattr(study.learner, "resumable", False):
        (store.folder / CHECKPOINTS).mkdir(exist_ok=True)
        checkpoint = store.checkpoint(0)
    outcome = outcome_from(study.learner, [game], seeds, checkpoint)
    if store is not None:
        table, before = table_of(outcome, study.names, study.designs, seeds), store.read_batch(0, study.rounds)
        if before is None and look(study, store).damaged:
            store.tell(f"damaged or changed in {store.folder}, and made again: its rounds")
        elif before is not None and not before[0].equals(table):
            store.tell(
                f"the rounds in {store.folder} were others, computed by {versions_in_words(before[1])}: replaced"
            )
        bids, kept = bids_of(outcome, most=kept_values(study)), outcomes_of(outcome, of=study.rounds)
        store.write_batch(0, table, computing(study.learner), bids, kept)
    return outcome


@dataclass(frozen=True)
class Found:
    """What a folder holds of the batches of a study.

    Attributes:
        batches: all of them.
        computed: what computed those that are whole.
        damaged: the numbers of those that have a file which is not whole, or has been changed.
        foreign: the files among theirs that are not of this study.
    """

    batches: tuple[range, ...]
    computed: dict[int, dict[str, str]]
    damaged: tuple[int, ...]
    foreign: tuple[Path, ...]

    @property
    def designs(self) -> int:
        """How many designs have been learned."""
        return sum(len(self.batches[number]) for number in self.computed)


def look(study: Study | Outline, store: Store) -> Found:
    """What is there of a study, or of what a folder says of one, in its folder; nothing is changed."""
    batches = batches_of(study, store.held.designs_per_batch)
    ours, foreign = store.files(len(batches))
    computed, damaged = {}, []
    for number in ours:
        expected = np.repeat(batches[number], study.rounds)
        table, made = store.read_batch(number, len(expected)) or (None, {})
        fits = table is not None and table.schema == schema_of(study.names)
        if table is not None and fits and np.array_equal(table["design"].to_numpy(), expected):
            computed[number] = made
        else:
            damaged.append(number)
    return Found(batches, computed, tuple(damaged), tuple(foreign))


def found_in(study: Outline, folder: Path) -> tuple[Found, Store]:
    """What is there of a study in a folder that may not have been made yet, and the folder to read it from.

    Raises:
        AllpayError: if the folder holds another study, or what allpay has not written.
    """
    if not folder.exists():
        return Found((), {}, (), ()), Store(folder, Held(study.specification, 1, {}))
    store = Store(folder, read_folder(folder))
    held = parted(store.held.specification).get("", study.specification)
    if without_objective(held) != without_objective(study.specification):
        raise AllpayError(f"{folder} holds another study than the folder above it says: it cannot be read")
    return look(study, store), store


def read(store: Store, numbers: Iterable[int]) -> pl.DataFrame:
    """The rows of some batches, which have been looked at.

    Raises:
        AllpayError: if one has been damaged since then.
    """
    tables = []
    for number in sorted(numbers):
        found = store.read_batch(number)
        if found is None:
            raise AllpayError(f"batch {number} in {store.folder} has been damaged or deleted meanwhile: run it again")
        tables.append(found[0])
    return pl.concat(tables)


def read_bids(store: Store, numbers: Iterable[int]) -> pl.DataFrame:
    """What was bid in some batches, which have been looked at; nothing of those that were learned before bids were kept.

    Raises:
        AllpayError: if one has been damaged since then.
    """
    found = [store.read_bids(number) for number in sorted(numbers)]
    return pl.concat([BIDS_SCHEMA.to_frame(), *(table for table in found if table is not None)])


def ranges(numbers: Iterable[int]) -> str:
    """Whole numbers in words: `0 to 7, 9`."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in runs)


class _Run:
    """A study that is being run: which of its batches are there, and how the others are got."""

    def __init__(
        self,
        study: Study,
        store: Store | None,
        size: int,
        progress: Progress | None,
        workers: int,
        scheduler: str | None,
        also: Sequence[str] = (),
    ):
        self.study, self.store, self.progress = study, store, progress
        asked = (study.goal, *objectives(also))
        self.measured = tuple(
            dict.fromkeys(goal for goal in asked if not goal.stored)
        )  # what rows do not have as they are
        self.searching = self._searching()
        self.values: dict[int, dict[str, Array]] = {}  # of these, in each batch
        self.workers, self.scheduler = workers, scheduler
        self.pool: Pool | None = None  # made when it is needed
        self.resources = ExitStack()
        self.batches = batches_of(study, store.held.designs_per_batch if store else size)
        self.computed: dict[int, dict[str, str]] = {}  # what computed each batch that is there
        self.designs = 0  # how many they have
        self.tables: dict[int, pl.DataFrame] = {}  # their rows, where no folder keeps them
        self.bids: dict[int, pl.DataFrame] = {}  # and what was bid
        self.deaths: Counter[int] = Counter()  # how many processes died while each batch was being learned
        # what computes here; on a cluster what has computed the first batch, for this process may be of another kind
        self.ours = computing(study.learner) if scheduler is None else None
        self.told: set[str] = set()
        self.resumable = store is not None and getattr(study.learner, "resumable", False)
        self.stopped = False

    def run(self, choose: Choose | None) -> Sweep:
        damaged, ended = self._look(), ""
        weights, done = self.study.designs, list[int]()
        with self._stopping(), self.resources:
            for stage in self.study.stages:
                mine = [number for number, designs in enumerate(self.batches) if designs.start in stage]
                # a stage of which something is missing is chosen again: the same, for all before it is there
                if choose is not None and stage.start > 0 and not self.computed.keys() >= set(mine):
                    chosen = choose(Sweep(self.searching, self._table(done)), len(stage))
                    if isinstance(chosen, str):
                        ended = chosen
                        break
                    weights = chosen
                parts = {n: weights[self.batches[n].start - stage.start :][: len(self.batches[n])] for n in mine}
                self._learn_missing(parts)
                done += mine
            else:
                ended = f"all {self.study.samples} designs of the budget were used" if self.study.active else ""
        if self.store:
            self.store.log(ended or "all batches are there")
        bids = read_bids(self.store, done) if self.store else pl.concat([self.bids[n] for n in done])
        searched = "" if self.searching is self.study else self.searching.objective
        return Sweep(self.study, self._table(done), damaged, ended, tuple(self._computed()), bids, searched)

    def _searching(self) -> Study:
        """The study that chooses designs: that of the folder, if it looks for those that are good for something else."""
        held = self.store.held.specification.get("objective") if self.store else None
        if not self.study.active or not isinstance(held, str) or held == self.study.objective:
            return self.study
        goal = objective(held)
        if goal.codes:  # which nobody has trusted
            raise AllpayError(
                f"the designs of this folder are searched for {short(held)}, which is not allpay's own: ask for that, or "
                "choose another folder"
            )
        assert self.store is not None
        self._tell(
            f"the designs in {self.store.folder} are searched for {goal.text}: what is best for {self.study.objective} may lie "
            "where none of them is"
        )
        if not goal.stored:
            self.measured += (goal,)
        return replace(self.study, objective=goal.text)

    def _table(self, numbers: Sequence[int]) -> pl.DataFrame:
        """The rows of some batches, by design and round."""
        tables = []
        for number in sorted(numbers):
            table = self._batch(number)
            values = self._values(number, table)
            more = (pl.Series(goal.column, values[goal.text]) for goal in self.measured)
            tables.append(pl.DataFrame([*table.get_columns(), *more]))  # which needs no threads, unlike `with_columns`
        return pl.concat(tables)

    def _batch(self, number: int) -> pl.DataFrame:
        return read(self.store, [number]) if self.store else self.tables[number]

    def _values(self, number: int, table: pl.DataFrame) -> dict[str, Array]:
        """`[runs]` the objectives that are no columns of a batch, computed from what is kept of its outcomes."""
        if number not in self.values and not self.measured:
            self.values[number] = {}
        if number not in self.values:
            assert self.store is not None
            kept = self.store.read_outcomes(number)
            if kept is None:
                raise AllpayError(
                    f"the strategies of {self._named([number])} are not kept in {self.store.folder}, so that "
                    f"{self.measured[0].text} is not known: {NOT_KEPT}"
                )
            weights = Sweep(self.study, table).weights
            outcome = restored(self.study, [self.study.game(w) for w in weights], table, kept)
            if outcome is None:
                raise AllpayError(
                    f"the outcomes of {self._named([number])} in {self.store.folder} are of another study"
                )
            self.values[number] = {goal.text: goal.values(outcome).ravel() for goal in self.measured}
        return self.values[number]

    def _look(self) -> tuple[int, ...]:
        """See what the folder holds, say what is wrong with it, and return the numbers of batches that are damaged."""
        damaged: tuple[int, ...] = ()
        if self.store:
            found = look(self.study, self.store)
            self.computed, self.designs, damaged = found.computed, found.designs, found.damaged
            for path in found.foreign:
                aside = self.store.set_aside(path)
                self._tell(f"{path} is no batch of this study: it has been set aside as {aside.name}")
            if damaged:
                self._tell(f"damaged or changed in {self.store.folder}, and run again: {self._named(damaged)}")
            for number, made in self.computed.items():
                self._compare(number, made)
            if self.resumable:
                (self.store.folder / CHECKPOINTS).mkdir(exist_ok=True)
            self.store.log(f"{len(self.computed)} of {len(self.batches)} batches are there")
        self._advance()
        return damaged

    def _learn_missing(self, weights: dict[int, Array]) -> None:
        """Learn those batches that are not there, of which these are the designs."""
        deaths = 0
        while missing := [number for number in weights if number not in self.computed]:
            try:
                # those that processes died with come last; and one at a time, before the run is given up: then they have all
                # the memory, and it is known which of them is to blame
                order = sorted(missing, key=lambda number: self.deaths[number])
                waiting = deque((number, weights[number]) for number in order)
                self._learn_all(waiting, self._workers(), alone=deaths >= ATTEMPTS - 1)
            except BrokenExecutor:
                self.resources.close()
                self.pool = None
                deaths = deaths + 1 if self.computed.keys().isdisjoint(missing) else 1
                # one that died alone may be the only one to do so: another is tried before all are given up
                if deaths == ATTEMPTS + (len(missing) > 1):
                    worst = max(missing, key=lambda number: self.deaths[number])
                    raise AllpayError(
                        f"worker processes died {deaths} times, the last time learning {self._named([worst])}, perhaps for "
                        "lack of memory (or, started by a script, of a line if __name__ == '__main__' in it)"
                    ) from None
                self._tell("a worker process has died: what it was learning is begun again")
            except AllpayError:
                raise
            except Exception as error:
                if self.scheduler is None:
                    raise
                if self.store:
                    self.store.log(f"lost the scheduler: {in_words(error)}")
                raise AllpayError(
                    f"lost the Dask scheduler at {self.scheduler}: start it again, or go on without it"
                ) from error

    def _workers(self) -> Pool:
        if self.pool is None:
            missing = len(self.batches) - len(self.computed)
            self.pool = self.resources.enter_context(pool_of(self.workers, self.scheduler, most=missing))
            if self.store:
                here = "in this process" if self.workers == 1 else f"in {min(self.workers, missing)} processes"
                where = f"by the workers of {self.scheduler}" if self.scheduler else here
                self.store.log(f"learning {missing} batches {where}")
        return self.pool

    def _learn_all(self, waiting: deque[tuple[int, Array]], pool: Pool, alone: bool) -> None:
        running: dict[Future[Answer], int] = {}
        try:
            while waiting or running:
                if self.stopped:
                    self._finish(running)
                    raise KeyboardInterrupt
                width = pool.width()
                if width == 0 and "no workers" not in self.told:
                    self.told.add("no workers")
                    self._tell("the scheduler has no workers: waiting for some")
                while waiting and len(running) < (min(width, 1) if alone else width):
                    number, weights = waiting.popleft()
                    running[self._submit(number, weights, pool)] = number
                if running:
                    self._collect(running, wait(running, PATIENCE, FIRST_COMPLETED).done)
                else:
                    time.sleep(PATIENCE)
        except BrokenExecutor:
            self.deaths.update(running.values())
            raise

    def _submit(self, number: int, weights: Array, pool: Pool) -> Future[Answer]:
        designs = self.batches[number]
        checkpoint = self.store.checkpoint(number).absolute() if self.store and self.resumable else None

        def within(done: float, total: float) -> None:  # what is learned elsewhere says nothing
            if done < total:
                self._advance(len(designs) * done / total)

        with listening(advance=within):
            texts, keep = tuple(goal.text for goal in self.measured), self.store is not None
            task = task_of(self.study, designs.start, weights, checkpoint, pool.threads, () if keep else texts, keep)
            return pool.executor.submit(learn_batch, task)

    def _collect(self, running: dict[Future[Answer], int], done: Iterable[Future[Answer]]) -> None:
        """Keep what has been learned. If a batch failed, what else is being learned is kept before that is raised."""
        fault: Exception | None = None
        for future in done:
            number = running[future]
            try:
                answer = future.result()
            except (BrokenExecutor, CancelledError) as error:
                fault = error
                continue
            except Exception as error:  # it cannot travel, or Dask has given it up
                why = in_words(error).split(". ")[0]
                fault = AllpayError(f"{self._named([number])} got lost: {why}")
            else:
                fault = self._keep(number, answer) or fault
            del running[future]
        if isinstance(fault, AllpayError):
            self._finish(running)
        if fault:
            raise fault

    def _finish(self, running: dict[Future[Answer], int]) -> None:
        """Keep what is being learned; what only waits for it, having been submitted last, is given up."""
        begun = list(running)[: math.ceil(len(running) / AHEAD)]
        for future in as_completed(begun):
            with suppress(BrokenExecutor, CancelledError):
                self._keep(running[future], future.result())

    def _keep(self, number: int, answer: Answer) -> AllpayError | None:
        """Keep a batch; what is returned is why it failed."""
        name = self._named([number])
        for text in answer.told:
            self._tell(f"{name}: {text}")
        if answer.table is None:
            if self.store:
                self.store.log(f"{name} failed:\n{answer.trace}")
            error = AllpayError(f"{name} failed: {answer.fault}")
            error.add_note(answer.trace)
            return error
        if self.store and self.measured and answer.outcomes is None:
            return AllpayError(
                f"{self.measured[0].text} needs the strategies of all runs, which are too many: {NOT_KEPT}"
            )
        if self.store:
            self.store.write_batch(number, answer.table, answer.versions, answer.bids, answer.outcomes)
            self.store.log(f"{name}: {answer.seconds:.2f} s")
        else:
            assert answer.bids is not None
            self.tables[number], self.bids[number] = answer.table, answer.bids
            self.values[number] = answer.values
        self.computed[number] = answer.versions
        self.designs += len(self.batches[number])
        self._compare(number, answer.versions)
        self._advance()
        return None

    def _compare(self, number: int, made: dict[str, str]) -> None:
        """Say it if a batch was computed by other versions than the others, once for each."""
        self.ours = self.ours or made
        other = difference(made, self.ours)
        if other and other not in self.told:
            self.told.add(other)
            same = [n for n, made in self.computed.items() if difference(made, self.ours) == other]
            self._tell(
                f"{self._named(same)} computed by other versions ({other}): the last bits may differ from those of a study by "
                "one version, for which another folder is needed"
            )

    def _computed(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Which batches were computed by what."""
        for made in {json.dumps(made, sort_keys=True): made for made in self.computed.values()}.values():
            yield ranges(number for number, other in self.computed.items() if other == made), made

    def _named(self, numbers: Sequence[int]) -> str:
        if len(numbers) > 1:
            return f"batches {ranges(numbers)}"
        designs = self.batches[numbers[0]]
        return f"batch {numbers[0]} (design{'s' if len(designs) > 1 else ''} {ranges(designs)})"

    def _tell(self, text: str) -> None:
        if self.store:
            self.store.tell(text)
        else:
            tell(text)

    def _advance(self, within: float = 0.0) -> None:
        if self.progress:
            self.progress(self.designs + within, self.study.samples)

    @contextmanager
    def _stopping(self) -> Iterator[None]:
        """While this lasts a first Ctrl-C is only remembered, if it can be caught here and something would be lost by it."""
        before = signal.getsignal(signal.SIGINT)
        caught = threading.current_thread() is threading.main_thread() and callable(before)
        if not caught or self.store is None or self.resumable:
            yield
            return

        def stop(number: int, frame: FrameType | None) -> None:
            if self.stopped and callable(before):
                before(number, frame)
            self.stopped = True
            # written past Python's files, which the signal may have interrupted
            os.write(2, b"\nallpay: stopping when what is being learned is kept; Ctrl-C again stops at once\n")

        signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

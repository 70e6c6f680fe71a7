"""What a batch costs beside what is learned in it, what two workers gain, and where a thousand would saturate.

python benchmarks/scaling.py            # all of it, in two minutes
python benchmarks/scaling.py --million  # a million designs on up to 10,000 workers, simulated from what is measured here
python benchmarks/scaling.py --learners # about how long a run of each learner takes, for `study/batches.py`
"""

import argparse
import logging
import math
import os
import pickle
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import simpy

from allpay.learners import LEARNERS, EpsilonGreedy, learner
from allpay.learners.base import run_seeds, threads_limited
from allpay.study import Study, run
from allpay.study.batches import MOST_BATCHES, SECONDS, designs_per_batch, seconds_per_run
from allpay.study.executors import AHEAD, pool_of
from allpay.study.store import open_store
from allpay.study.task import Answer, Task, learn_batch, task_of
from allpay.versions import versions

WORKERS = 1000


def median(function: Callable[[int], object], times: int) -> float:
    """Median seconds of one call; it is given the number of the call."""
    taken = []
    for k in range(times):
        begun = time.perf_counter()
        function(k)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def nothing(_: object) -> None:
    """What a worker does that is given no work."""


def rate(executor: Executor, payload: object, tasks: int) -> float:
    """Tasks a second that do nothing, each with a payload of its own, all handed over at once."""
    executor.submit(nothing, payload).result()
    begun = time.perf_counter()
    for future in [executor.submit(nothing, payload) for _ in range(tasks)]:
        future.result()
    return tasks / (time.perf_counter() - begun)


def costs_of_a_batch(folder: Path) -> dict[str, float]:
    """Seconds of each thing that a batch of the default study costs beside what is learned in it."""
    study = Study()
    size = designs_per_batch(study)
    task = task_of(study, 0, study.designs[:size])
    answer = learn_batch(task)
    table = answer.table
    assert table is not None
    begun = time.process_time()
    learn_batch(task)
    learning = time.process_time() - begun
    with open_store(folder, study.specification(), versions(), size) as store:
        costs = {
            "seeds of its runs": median(lambda _: run_seeds(0, range(size), study.rounds), 50),
            "task there and answer back, pickled": median(
                lambda _: pickle.loads(pickle.dumps((pickle.loads(pickle.dumps(task)), answer))), 200
            ),
            "file written and flushed to the disk": median(lambda k: store.write_batch(k, table, answer.versions), 100),
            "line in the log": median(lambda _: store.log("batch 0 (designs 0 to 4): 0.01 s"), 200),
        }
        reading = median(store.read_batch, 100)
        bytes_ = (folder / "batches" / "batch-00000.parquet").stat().st_size
    total = sum(costs.values())
    print(
        f"A batch of the default study: {size} designs × {study.rounds} rounds, {learning:.2f} s of CPU time, {bytes_:,} bytes"
    )
    for what, seconds in costs.items():
        print(f"  {what:<40}{1e3 * seconds:8.2f} ms")
    print(f"  {'together':<40}{1e3 * total:8.2f} ms, {total / learning:.2%} of what is learned")
    print(f"  {'(read and checked, when it is resumed)':<40}{1e3 * reading:8.2f} ms")
    return {
        **costs,
        "writer": costs["file written and flushed to the disk"] + costs["line in the log"],
        "bytes": bytes_,
    }


def overhead_by_learner() -> None:
    """How large the batches of usual studies are."""
    print("\nBatches of 50 designs × 10 rounds, and of a million designs")
    print(f"  {'learner':<24}{'s a run':>9}{'designs':>9}{'s':>7}{'designs':>10}{'s':>7}{'files':>8}")
    for name in SECONDS:
        small, large = (Study(learner=learner(name), samples=samples) for samples in (50, 1_000_000))
        seconds = seconds_per_run(small)
        sizes = [designs_per_batch(study) for study in (small, large)]
        last = [size * small.rounds * seconds for size in sizes]
        files = math.ceil(large.samples / sizes[1])
        print(f"  {name:<24}{seconds:9.2f}{sizes[0]:9}{last[0]:7.1f}{sizes[1]:10}{last[1]:7.0f}{files:8,}")


def cpu() -> float:
    """Seconds of CPU time of this process and of those that it has waited for."""
    return sum(os.times()[:4])


def timed(study: Study, workers: int, folder: Path) -> tuple[float, float]:
    """Seconds a design, from the first batch that came back to the last; CPU seconds in all."""
    stamps: list[tuple[float, float]] = []
    used = cpu()
    with threads_limited(1):
        run(study, folder, lambda done, _: stamps.append((time.perf_counter(), done)), workers=workers)
    (first, done), (last, every) = next(stamp for stamp in stamps if stamp[1] >= 1), stamps[-1]
    return (last - first) / (every - done), cpu() - used


def stamped(task: Task) -> tuple[int, float, float, Answer]:
    """What a worker learns, which one it was, and from when to when."""
    begun = time.monotonic()
    answer = learn_batch(task)
    return os.getpid(), begun, time.monotonic(), answer


def waiting(study: Study, folder: Path) -> float:
    """The part of their time that two processes wait for work, from their first batch to their last."""
    stamps: dict[int, list[tuple[float, float]]] = {}
    with open_store(folder, study.specification(), versions(), 1) as store, pool_of(2) as pool:
        tasks = [task_of(study, d, study.designs[d : d + 1], threads=1) for d in range(study.samples)]
        for future in as_completed([pool.executor.submit(stamped, task) for task in tasks]):
            worker, begun, ended, answer = future.result()
            assert answer.table is not None
            store.write_batch(int(answer.table["design"][0]), answer.table, answer.versions)
            stamps.setdefault(worker, []).append((begun, ended))
    learned = sum(ended - begun for own in stamps.values() for begun, ended in own)
    lasted = sum(max(ended for _, ended in own) - min(begun for begun, _ in own) for own in stamps.values())
    return 1 - learned / lasted


def efficiency(folder: Path, turns: int = 2) -> None:
    """Two processes against one, each of one thread, in turns."""
    short, long = (Study(learner=EpsilonGreedy(), samples=samples, rounds=10) for samples in (6, 18))
    walls: dict[int, list[float]] = {1: [], 2: []}
    used: dict[int, list[float]] = {1: [], 2: []}
    for turn in range(turns):
        for workers in (1, 2):
            wall, most = timed(long, workers, folder / f"long {workers} {turn}")
            _, least = timed(short, workers, folder / f"short {workers} {turn}")
            walls[workers].append(wall)
            used[workers].append((most - least) / (long.samples - short.samples))  # without what starting costs
    one, two = min(walls[1]), min(walls[2])
    waits = waiting(long, folder / "waiting")
    more = min(used[2]) / min(used[1]) - 1
    print(f"\n{long.samples} designs × {long.rounds} rounds, epsilon-greedy, one thread in each process")
    print(f"  by the clock: {one:.3f} s a design in one process, {two:.3f} s in two: efficiency {one / two / 2:.0%}")
    print(
        f"  CPU time: {min(used[1]):.3f} s a design in one process, {min(used[2]):.3f} s in two and the one that writes"
    )
    print(f"  two processes wait for work in {waits:.1%} of their time")
    print(f"  so on two cores that nobody else uses: efficiency {(1 - waits) / (1 + max(more, 0.0)):.0%}")


def spawned_rate(payload: object) -> float:
    with pool_of(2) as pool:
        return rate(pool.executor, payload, 2000)


def dask_rate(payload: object) -> float | None:
    try:
        from distributed import LocalCluster
    except ModuleNotFoundError:
        return None
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address=None,
            host="127.0.0.1",
            silence_logs=logging.CRITICAL + 1,
        ) as cluster,
        pool_of(scheduler=cluster.scheduler_address) as pool,
    ):
        return rate(pool.executor, payload, 2000)


def saturation(costs: dict[str, float], spawned: float, dask: float | None) -> None:
    """Where a thousand workers would wait, from what has been measured."""
    print(f"\nWhere {WORKERS:,} workers saturate, from these figures")
    limits = {
        "one process writes and flushes files": 1 / costs["writer"],
        "spawned processes are handed tasks": spawned,
    }
    if dask is not None:
        limits["a Dask scheduler hands out tasks to two workers"] = dask
    for what, most in limits.items():
        print(f"  {what}: {most:,.0f} a second, batches of {WORKERS / most:.1f} s keep {WORKERS:,} busy")
    longest = WORKERS / min(limits.values())
    hours = longest * MOST_BATCHES / 3600
    print(f"  a study has {MOST_BATCHES:,} batches at most: from {hours:.0f} core hours on they are that long")
    study = Study(samples=1_000_000)
    size = designs_per_batch(study)
    seconds = size * study.rounds * seconds_per_run(study)
    kilobytes = costs["bytes"] / designs_per_batch(Study()) * size / 1000
    print(
        f"  a million designs of fictitious play: {math.ceil(study.samples / size):,} batches of {seconds:.0f} s and "
        f"{kilobytes:,.0f} kB, {WORKERS / seconds:.0f} a second: {longest / seconds:.0%} of what can be had"
    )


class Speeds(NamedTuple):
    """Seconds of a batch: in which it is learned, handed out and its answer taken, and written."""

    learned: float
    handed: float
    written: float


class Course(NamedTuple):
    """What became of a study: seconds, and the part of them that the scheduler and the writer were busy."""

    seconds: float
    scheduler: float
    writer: float


UNEVEN = 0.2
"""The standard deviation of the logarithm of how long batches take: cores differ, and so do their neighbours."""


def course(speeds: Speeds, batches: int, workers: int, seed: int = 0) -> Course:
    """A study on so many workers, as a simulation of discrete events.

    As in `allpay.study.executors`: the client hands out so many batches that `AHEAD` wait for each that is being learned, and
    another as soon as one is written; a worker takes the next that waits. Scheduler and writer do one thing at a time.
    """
    world = simpy.Environment()
    scheduler, writer = simpy.Resource(world), simpy.Resource(world)
    room = simpy.Container(world, init=(1 + AHEAD) * workers)
    ready = simpy.Store(world)
    long = speeds.learned * np.random.default_rng(seed).lognormal(-(UNEVEN**2) / 2, UNEVEN, batches)
    left = batches

    def taken(resource: simpy.Resource, seconds: float) -> Iterator[Any]:
        with resource.request() as turn:
            yield turn
            yield world.timeout(seconds)

    def client() -> Iterator[Any]:
        for batch in range(batches):
            yield room.get(1)
            yield from taken(scheduler, speeds.handed)
            yield ready.put(batch)

    def worker() -> Iterator[Any]:
        while True:
            batch = yield ready.get()
            yield world.timeout(long[batch])
            world.process(kept())

    def kept() -> Iterator[Any]:
        nonlocal left
        yield from taken(writer, speeds.written)
        left -= 1
        yield room.put(1)
        if left == 0:
            done.succeed()

    done = world.event()
    world.process(client())
    for _ in range(workers):
        world.process(worker())
    world.run(until=done)
    return Course(world.now, batches * speeds.handed / world.now, batches * speeds.written / world.now)


def million(folder: Path) -> None:
    """A million designs of fictitious play, 10 rounds each: core hours from today's speed, and what saturates first."""
    study = Study(samples=1_000_000)
    size = designs_per_batch(study)
    batches = math.ceil(study.samples / size)
    few = Study(samples=10)
    task = task_of(few, 0, few.designs, threads=1)
    table = learn_batch(task).table
    assert table is not None
    begun = time.process_time()
    answer = learn_batch(task)
    a_design = (time.process_time() - begun) / few.samples
    many = pl.concat([table] * math.ceil(size / few.samples))[: size * few.rounds]
    with open_store(folder, few.specification(), versions(), 1) as store:
        written = median(lambda k: store.write_batch(k, many, answer.versions), 50)
    kilobytes = (folder / "batches" / "batch-00000.parquet").stat().st_size / 1000
    full = task_of(study, 0, few.designs * (size // few.samples))
    dask = dask_rate(full)
    assert dask is not None, "pip install 'allpay-auctions[cluster]'"
    speeds = Speeds(a_design * size, 1 / dask, written)
    hours = speeds.learned * batches / 3600
    print(
        f"{study.samples:,} designs × {study.rounds} rounds: {1e3 * a_design:.0f} ms a design on one core, {hours:.1f} core "
        f"hours; {batches:,} batches of {size} designs, {speeds.learned:.1f} s and {kilobytes:,.0f} kB each, "
        f"{kilobytes * batches / 1e6:.1f} GB in all"
    )
    print(
        f"The scheduler takes {1e3 * speeds.handed:.1f} ms of each batch, the writer {1e3 * speeds.written:.1f} ms.\n"
    )
    print("| workers | takes | with no wait | efficiency | scheduler busy | writer busy |")
    print("|--:|--:|--:|--:|--:|--:|")
    for workers in (10, 100, 300, 1000, 3000, 10_000):
        found, least = course(speeds, batches, workers), speeds.learned * batches / workers
        print(
            f"| {workers:,} | {found.seconds / 60:,.1f} min | {least / 60:,.1f} min | {least / found.seconds:.0%} "
            f"| {found.scheduler:.0%} | {found.writer:.0%} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learners", action="store_true", help="time a run of each learner")
    parser.add_argument("--million", action="store_true", help="simulate a million designs on many workers")
    given = parser.parse_args()
    if given.million:
        with tempfile.TemporaryDirectory() as place:
            million(Path(place) / "million")
        return
    if given.learners:
        for name in LEARNERS:
            study = Study(learner=learner(name), rounds=10)
            learn_batch(task_of(study, 0, study.designs[:1]))  # compile
            begun = time.process_time()
            learn_batch(task_of(study, 1, study.designs[1:2]))
            print(
                f"{name:<24}{(time.process_time() - begun) / study.rounds:8.3f} s a run (taken for {SECONDS[name][0]})"
            )
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        costs = costs_of_a_batch(folder / "costs")
        overhead_by_learner()
        efficiency(folder)
        task = task_of(Study(), 0, Study().designs[:5])
        saturation(costs, spawned_rate(task), dask_rate(task))


if __name__ == "__main__":
    main()

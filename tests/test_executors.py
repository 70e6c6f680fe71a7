"""Where batches are learned: the same bits everywhere, and what happens to a study whose workers, scheduler or user stop."""

import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Timer

import pytest

from allpay.errors import AllpayError
from allpay.learners import LEARNERS, EpsilonGreedy, deep
from allpay.study import Study, executors, run, sweep
from allpay.study.file import read_study, study_of
from allpay.study.store import in_use, open_store, read_folder
from allpay.study.task import task_of
from allpay.versions import versions
from failing import Failing, Resumable

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")

QUICK = EpsilonGreedy(iterations=200_000, exploration=50_000)
SMALL = Study(learner=QUICK, samples=12, rounds=2)
HERE = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])}


@pytest.fixture(scope="module")
def undisturbed():
    return run(SMALL).table


def until(condition, seconds=60.0):
    """Wait until something is so, and return it; a file that another process has yet to write, or to finish, is waited for."""
    end = time.monotonic() + seconds
    while True:
        with suppress(FileNotFoundError, json.JSONDecodeError):
            if found := condition():
                return found
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


def batches(folder):
    return len(list(folder.glob("batches/*.parquet")))


# This process and spawned ones


def test_spawned_workers_give_the_same_bits(tmp_path, undisturbed):
    assert run(SMALL, tmp_path / "study", batch=1, workers=2).table.equals(undisturbed)


@pytest.mark.parametrize(("threads", "before", "after"), [(1, None, "{}"), (1, "--a=b", "--a=b {}"), (2, None, None)])
def test_a_process_of_one_thread_tells_xla(monkeypatch, threads, before, after):
    monkeypatch.delenv("NPROC", raising=False)
    if before is None:
        monkeypatch.delenv("XLA_FLAGS", raising=False)
    else:
        monkeypatch.setenv("XLA_FLAGS", before)
    with executors._Spawned(1, multiprocessing.get_context("spawn"), executors._begin, (threads,)) as executor:
        flags = executor.submit(os.getenv, "XLA_FLAGS").result()
        share = executor.submit(os.getenv, "NPROC").result()
    assert share == str(threads)
    assert flags == (after and after.format(executors.ONE_THREAD))


@pytest.mark.parametrize("address", ["nonsense", "tcp://", "tls://host:port"])
def test_what_is_no_address_of_a_scheduler_is_refused(address):
    pytest.importorskip("distributed")
    with pytest.raises(AllpayError, match=r"is no address of a scheduler \(.*\): give tcp://HOST:PORT"):
        run(SMALL, scheduler=address)


@pytest.mark.parametrize("learner", ["dqn", "ppo"])
def test_those_with_networks_take_a_process_for_each_core_if_there_is_enough_to_do(monkeypatch, learner):
    monkeypatch.setattr(executors, "cores", lambda: 4)
    named = LEARNERS[learner]()
    assert executors.processes_for(Study(learner=named, samples=50)) == 4
    assert executors.processes_for(Study(learner=named, samples=7)) == 1
    assert executors.processes_for(Study(learner=named, samples=50, strategy="active")) == 1
    assert executors.processes_for(Study(samples=50)) == 1
    monkeypatch.setattr("jax.default_backend", lambda: "gpu")
    assert executors.processes_for(Study(learner=named, samples=50)) == 1


def test_workers_below_one_are_refused():
    with pytest.raises(AllpayError, match="workers must be at least 1: got 0"):
        run(SMALL, workers=0)


def test_what_travels_to_a_worker_does_not_grow_with_the_study():
    sizes = [
        len(pickle.dumps(task_of(study, 0, study.designs[:5]))) for study in (Study(samples=10), Study(samples=100_000))
    ]
    assert sizes[0] == sizes[1] < 5_000


@posix
def test_a_worker_killed_in_mid_batch_costs_only_that_batch(tmp_path, undisturbed, caplog):
    killed = []

    def kill_one(done, _):
        if done >= 3 and not killed:
            killed.append(multiprocessing.active_children()[0].pid)
            os.kill(killed[0], signal.SIGKILL)

    table = run(SMALL, tmp_path / "study", kill_one, workers=2, batch=1).table
    assert killed
    assert table.equals(undisturbed)
    assert [r.getMessage() for r in caplog.records] == [
        "a worker process has died: what it was learning is begun again"
    ]
    log = (tmp_path / "study" / "log.txt").read_text()
    assert log.count("(design ") == 12  # none was kept twice


@pytest.mark.parametrize(
    ("way", "workers", "message"),
    [
        ("own", 1, r"^batch 1 \(design 1\) failed: Unpicklable: this and that"),
        ("own", 2, r"^batch 1 \(design 1\) failed: Unpicklable: this and that"),
        (
            "memory",
            1,
            r"failed: out of memory \(unable to allocate 9 GiB\): give fewer workers, or fewer bidders, values or",
        ),
        ("allpay", 1, r"^batch 1 \(design 1\) failed: iterations must be fewer: got 9; give 8"),
        (
            "dies",
            2,
            r"^worker processes died 3 times, the last time learning batch 1 \(design 1\), perhaps for lack of memory",
        ),
    ],
)
def test_a_batch_that_fails_is_named_and_the_others_are_kept(tmp_path, way, workers, message):
    study = Study(learner=Failing(way), samples=6, rounds=1, seed=4)
    assert [d for d in range(6) if study.designs[d, 0] > study.learner.bound] == [1]
    with pytest.raises(AllpayError, match=message) as error:
        run(study, tmp_path / "study", workers=workers, batch=1)
    assert "\n" not in str(error.value)
    assert (tmp_path / "study" / "batches" / "batch-00000.parquet").exists()
    if way == "dies":
        assert batches(tmp_path / "study") == 5
    if way == "own":
        assert "raise {" in error.value.__notes__[0]  # where in the learner it was
        assert "raise {" in (tmp_path / "study" / "log.txt").read_text()


class Deadly(Executor):
    """Is broken by one batch before any that was given to it together with that one is done."""

    def __init__(self, deadly):
        self.deadly, self.running, self.broken = deadly, [], False

    def submit(self, fn, task):
        if self.broken:
            raise BrokenExecutor
        future = Future()
        self.running.append(future)
        kills = task.first == self.deadly
        Timer(0.1 if kills else 0.4, self.kill if kills else self.finish, () if kills else (future, fn, task)).start()
        return future

    def kill(self):
        self.broken = True
        for future in self.running:
            if not future.done():
                future.set_exception(BrokenExecutor())

    def finish(self, future, fn, task):
        if not future.done():
            future.set_result(fn(task))


@pytest.mark.parametrize("deadly", range(3))
def test_a_batch_that_takes_all_others_with_it_is_found_out(tmp_path, monkeypatch, deadly):
    study = Study(learner=Failing(bound=1.0), samples=3, rounds=1)

    @contextmanager
    def deadly_pool(*_, **__):
        yield executors.Pool(Deadly(deadly), lambda: 3, None)

    monkeypatch.setattr(sweep, "pool_of", deadly_pool)
    with pytest.raises(AllpayError, match=rf"^worker processes died 3 times, .* batch {deadly} "):
        run(study, tmp_path / "study", workers=3, batch=1)
    assert batches(tmp_path / "study") == 2


# The user and the system: Ctrl-C and SIGKILL


LONG = """
[study]
samples = 12
rounds = 2
[learner]
name = "epsilon-greedy"
iterations = 2000000
"""
"""Batches of a tenth of a second or more."""


@pytest.fixture
def started(tmp_path):
    """Start `allpay run` on a study file, its batches of one design; what is still running at the end is killed."""
    processes = []

    def start(text, *options, size=1):
        path = tmp_path / "study.toml"
        path.write_text(text)
        folder = path.with_suffix("")
        with open_store(folder, read_study(path).specification(), versions(), size):
            pass
        line = [sys.executable, "-m", "allpay.cli", "run", str(path), *options]
        pipes = {
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
            "start_new_session": True,
            "env": HERE,
        }
        processes.append(subprocess.Popen(line, **pipes))
        return processes[-1], folder

    yield start
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def resumed(folder):
    """The rows that `run` ends with in a folder."""
    return run(study_of(read_folder(folder).specification), folder).table


@posix
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_stops_when_what_is_being_learned_is_kept(started, workers):
    """A terminal sends it to all processes; the children must neither die of it nor write to the terminal."""
    process, folder = started(LONG, "--workers", str(workers))
    until(lambda: batches(folder) > 0)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines() == [
        "",
        "allpay: stopping when what is being learned is kept; Ctrl-C again stops at once",
        f"allpay: stopped; what is finished is kept: allpay resume {folder}",
    ]
    log = (folder / "log.txt").read_text()
    assert log.splitlines()[-1].endswith("stopped: KeyboardInterrupt")
    assert 1 + workers <= batches(folder) < 12
    if workers == 2:
        study = study_of(read_folder(folder).specification)
        assert resumed(folder).equals(run(study).table)


def test_ctrl_c_waits_only_where_something_would_be_lost(tmp_path):
    """Not without a folder, nor where the learner keeps its runs itself."""
    caught = []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs the tests may have another

    def remember(done, _):
        caught.append(signal.getsignal(signal.SIGINT) is not signal.default_int_handler)

    plain, resumable = (Study(learner=learner, samples=2, rounds=1) for learner in (Failing(bound=1.0), Resumable()))
    try:
        for study, folder, waits in ((plain, None, False), (plain, "plain", True), (resumable, "resumable", False)):
            caught.clear()
            run(study, folder and tmp_path / folder, remember, batch=1)
            assert caught[-1] is waits
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert (tmp_path / "resumable" / "checkpoints").is_dir()
    assert not list((tmp_path / "resumable" / "checkpoints").iterdir())  # what is kept needs no checkpoint


@posix
def test_a_second_ctrl_c_stops_at_once(started):
    process, folder = started(LONG.replace("2000000", "1000000000"), "--workers", "2")
    until(lambda: "in 2 processes" in (folder / "log.txt").read_text())
    time.sleep(1.0)
    os.killpg(process.pid, signal.SIGINT)
    assert any("Ctrl-C again stops at once" in line for line in iter(process.stderr.readline, ""))
    os.killpg(process.pid, signal.SIGINT)
    begun = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert time.monotonic() < begun + 20  # a batch takes minutes
    assert (process.returncode, out, batches(folder)) == (130, "", 0)
    assert err.splitlines()[-1] == f"allpay: stopped; what is finished is kept: allpay resume {folder}"
    assert "Traceback" not in err


@posix
def test_killed_processes_leave_no_children_and_no_lock(started):
    """Spawned processes whose parent was killed would wait for work for ever."""
    process, folder = started(LONG, "--workers", "2")
    until(lambda: batches(folder) > 0)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not in_use(folder)
    until(lambda: not members(process.pid))


def members(group):
    """The processes of a group."""
    done = subprocess.run(["ps", "-A", "-o", "pgid=,stat=,pid="], capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    return [int(pid) for pgid, state, pid in rows if int(pgid) == group and not state.startswith("Z")]


@posix
def test_a_deep_learner_goes_on_in_mid_batch(tmp_path):
    """Killed in the middle of the only batch, it loses little: what was trained is not trained again."""
    program = """
import sys
from allpay.learners import DQN, checkpoint
from allpay.study import Study, executors, run, sweep
checkpoint.PAUSE = 0.0
learner = DQN(iterations=640, batch=64, width=8, chunk=2)
run(Study(learner=learner, samples=2, rounds=2), sys.argv[1], batch=2)
"""
    folder = tmp_path / "study"
    kept = folder / "checkpoints" / "batch-00000.npz"
    process = subprocess.Popen([sys.executable, "-c", program, str(folder)])
    until(kept.exists)
    process.kill()
    process.wait()
    assert batches(folder) == 0
    steps = []
    with pytest.MonkeyPatch.context() as patch:
        advance = deep.advance
        patch.setattr(deep, "advance", lambda *arguments: steps.append(arguments[-1]) or advance(*arguments))
        table = resumed(folder)
        resumed_steps, steps[:] = sum(steps), []
        study = study_of(read_folder(folder).specification)
        assert table.equals(run(study).table)
    assert resumed_steps < sum(steps) == 2 * 640
    assert not kept.exists()


# A Dask cluster


class Cluster:
    """A real scheduler and two workers, each a process of its own with one thread, on the loopback interface."""

    def __init__(self, folder):
        self.file = folder / "scheduler.json"
        self.processes = {"scheduler": self.start("dask_scheduler", "--host", "127.0.0.1", "--port", "0")}
        self.address = until(lambda: json.loads(self.file.read_text())["address"])
        for name in ("one", "other"):
            self.add(name)

    def start(self, program, *options):
        line = [
            sys.executable,
            "-m",
            f"distributed.cli.{program}",
            "--scheduler-file",
            str(self.file),
            "--no-dashboard",
        ]
        return subprocess.Popen([*line, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=HERE)

    def add(self, name):
        self.processes[name] = self.start("dask_worker", "--no-nanny", "--nthreads", "1", "--name", name)

    def kill(self, name):
        process = self.processes.pop(name)
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    distributed = pytest.importorskip("distributed")
    made = Cluster(tmp_path_factory.mktemp("dask"))
    with distributed.Client(made.address) as client:
        client.wait_for_workers(2, timeout=60)
    yield made
    for name in list(made.processes):
        made.kill(name)


def test_dask_workers_give_the_same_bits(cluster, tmp_path, undisturbed, capfd):
    assert run(SMALL, tmp_path / "study", scheduler=cluster.address, batch=1).table.equals(undisturbed)
    assert capfd.readouterr().err == ""


def test_a_batch_that_fails_on_a_dask_worker_is_named(cluster, tmp_path):
    study = Study(learner=Failing("own"), samples=6, rounds=1, seed=4)
    with pytest.raises(AllpayError, match=r"^batch 1 \(design 1\) failed: Unpicklable: this and that"):
        run(study, tmp_path / "study", scheduler=cluster.address, batch=1)
    assert (tmp_path / "study" / "batches" / "batch-00000.parquet").exists()


@posix
def test_a_dask_worker_killed_in_mid_batch_costs_only_that_batch(cluster, tmp_path, undisturbed):
    def kill_one(done, _):
        if done >= 3 and "other" in cluster.processes:
            cluster.kill("other")

    assert run(SMALL, tmp_path / "study", kill_one, scheduler=cluster.address, batch=1).table.equals(undisturbed)
    assert (tmp_path / "study" / "log.txt").read_text().count("(design ") == 12


@posix
def test_workers_are_waited_for_and_a_lost_scheduler_ends_the_run_in_one_line(cluster, started, tmp_path, monkeypatch):
    monkeypatch.setattr(executors, "PATIENCE", 0.5)
    for name in [name for name in cluster.processes if name != "scheduler"]:
        cluster.kill(name)
    process, folder = started(LONG, "--scheduler", cluster.address)
    until(lambda: "the scheduler has no workers: waiting for some" in (folder / "log.txt").read_text())
    cluster.add("late")
    until(lambda: batches(folder) > 1)
    cluster.kill("scheduler")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err.splitlines() == [
        "allpay: the scheduler has no workers: waiting for some",
        f"allpay: lost the Dask scheduler at {cluster.address}: start it again, or go on without it; what is finished is kept: "
        f"allpay resume {folder}",
    ]
    assert 1 < batches(folder) < 12
    assert resumed(folder).equals(run(study_of(read_folder(folder).specification)).table)
    with pytest.raises(AllpayError, match=f"no Dask scheduler answers at {cluster.address}"):
        run(SMALL, tmp_path / "other", scheduler=cluster.address)

"""Where batches are learned: in this process, in spawned processes, or on a Dask cluster; all behind one interface."""

import logging
import math
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from typing import Any

from allpay.cores import cores
from allpay.devices import check_devices
from allpay.errors import AllpayError
from allpay.learners import DEEP
from allpay.memory import look_seldom
from allpay.study.batches import designs_per_batch
from allpay.study.study import Study
from allpay.versions import to_install

AHEAD = 2
"""How many batches wait for each that is being learned: fewer would leave workers idle, more would only fill memories."""

ONE_THREAD = "--xla_cpu_multi_thread_eigen=false"
"""Tells XLA, where it computes on a CPU, not to part an operation between threads; that changes no bit of what it computes."""

SHARE = "NPROC"
"""The environment variable from which XLA takes how many threads share its operations on a CPU. With one for each core in each
of several processes they wait for each other, and take a third longer; no bit depends on it."""

PER_PROCESS = 2
"""So many batches must be there for each process, or it is not worth starting several."""

PATIENCE = 10
"""Seconds in which a scheduler must answer."""

SECONDS_TO_END = 2
"""So long the thread that looks after processes may take to end when they have been ended."""


CERTIFICATES = tuple(f"DASK_DISTRIBUTED__COMM__TLS__{name}" for name in ("CA_FILE", "CLIENT__CERT", "CLIENT__KEY"))
"""Dask's names for the files that a client of an encrypted scheduler needs."""


@dataclass(frozen=True)
class Pool:
    """Where batches are learned.

    Attributes:
        executor: runs them.
        width: how many may be submitted and not yet finished, which changes as workers come and go; 0 if there are none.
        threads: how many threads a batch may take there; None if as many as there are.
    """

    executor: Executor
    width: Callable[[], int]
    threads: int | None


def processes_for(study: Study) -> int:
    """In how many processes a study is learned soonest on this machine.

    Most learners use all cores in one. Those with networks do not: XLA parts their small operations between cores at a loss, so
    that processes of one thread each, of which each compiles for itself, are sooner done once there are batches for all.
    On a GPU one process trains all.
    """
    batches = math.ceil(study.samples / designs_per_batch(study))
    if study.learner.name not in DEEP or study.active or batches < PER_PROCESS * cores():
        return 1
    check_devices()
    import jax

    return cores() if jax.default_backend() == "cpu" else 1


class Here(Executor):
    """Runs what is submitted at once, in this thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def pool_of(workers: int = 1, scheduler: str | None = None, most: int = 2**16) -> Iterator[Pool]:
    """Where batches are learned; what is running there is given up when the context is left by an exception.

    Args:
        workers: how many processes; 1 is this one. Others are spawned, since JAX and threads do not survive a fork, and share
            the cores.
        scheduler: the address of a running Dask scheduler, instead of own processes. Its workers take one thread for each
            batch.
        most: how many batches there are.

    Raises:
        AllpayError: if there is no such scheduler, or Dask is not installed, or workers are fewer than one.
    """
    if workers < 1:
        raise AllpayError(f"workers must be at least 1: got {workers}")
    if scheduler is not None:
        with _dask(scheduler) as pool:
            yield pool
    elif workers > 1:
        with _processes(min(workers, most)) as pool:
            yield pool
    else:
        yield Pool(Here(), lambda: 1, None)


@contextmanager
def _processes(workers: int) -> Iterator[Pool]:
    check_program()
    threads = max(1, cores() // workers)
    executor = _Spawned(workers, get_context("spawn"), _begin, (threads,))
    try:
        yield Pool(executor, lambda: AHEAD * workers, threads)
    except BaseException:
        executor.kill()
        raise
    executor.shutdown()


def check_program() -> None:
    """Raise AllpayError if a spawned process could not begin: it runs the file of the program first, which must be there."""
    main = sys.modules["__main__"]
    path = getattr(main, "__file__", None)
    if getattr(main, "__spec__", None) is None and path is not None and not os.path.exists(path):
        raise AllpayError(
            f"worker processes run the program's file before they begin, and {path} is none: save the program as a file, or "
            "learn in this process (workers=1)"
        )


class _Spawned(ProcessPoolExecutor):
    """Processes that a Ctrl-C in the terminal does not reach: when to stop is said by the process that started them."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        with _no_interrupts():  # processes are started here, and take on what is blocked
            return super().submit(fn, *args, **kwargs)

    def kill(self) -> None:
        """End all processes at once."""
        processes = list((self._processes or {}).values())
        manager: threading.Thread | None = self._executor_manager_thread  # type: ignore[assignment]
        self.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            with suppress(ValueError):  # it has ended
                process.kill()
        for process in processes:
            with suppress(ValueError):
                process.join()
        if manager is not None:  # it gives back the semaphores; a program that ended meanwhile would leak one
            manager.join(SECONDS_TO_END)


@contextmanager
def _no_interrupts() -> Iterator[None]:
    mask = getattr(signal, "pthread_sigmask", None)
    if mask is None:  # Windows
        yield
        return
    before = mask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        mask(signal.SIG_SETMASK, before)


def _begin(threads: int) -> None:
    """Make a spawned process ready: it ends with the one that started it, however that ended, and takes its share of cores."""
    look_seldom()
    os.environ.setdefault(SHARE, str(threads))  # both are read when JAX is first used, which is later
    flags = os.environ.get("XLA_FLAGS", "")
    if threads == 1 and ONE_THREAD.partition("=")[0] not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {ONE_THREAD}".strip()
    if not hasattr(signal, "pthread_sigmask"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


@contextmanager
def _dask(scheduler: str) -> Iterator[Pool]:
    try:
        from distributed import Client, Security
    except ModuleNotFoundError:
        raise AllpayError(f"a scheduler needs Dask: install it {to_install('cluster')}") from None
    from distributed.comm import get_address_host_port, parse_address

    try:  # a client of an address that is none would complain once more when it is deleted
        if parse_address(scheduler)[0] in ("tcp", "tls"):
            get_address_host_port(scheduler)
    except ValueError as error:
        raise AllpayError(f"{scheduler!r} is no address of a scheduler ({error}): give tcp://HOST:PORT") from None
    security = None
    if scheduler.startswith("tls:"):
        security = Security(require_encryption=True)  # by Dask's own settings
        if not all(getattr(security, name) for name in ("tls_ca_file", "tls_client_cert", "tls_client_key")):
            raise AllpayError(f"a scheduler at tls:// needs certificates: set {', '.join(CERTIFICATES)} to their files")
    with _silent("distributed", "tornado", "asyncio"):
        try:
            client = Client(scheduler, timeout=PATIENCE, set_as_default=False, security=security)
        except (OSError, ValueError) as error:
            reason = type(error).__name__
            raise AllpayError(
                f"no Dask scheduler answers at {scheduler} ({reason}): start one there, or check it"
            ) from None
        executor = client.get_executor(pure=False)
        try:
            yield Pool(executor, _seldom(lambda: AHEAD * sum(client.nthreads().values())), 1)
        finally:
            with suppress(Exception):  # a scheduler that is lost has nothing to be told
                executor.shutdown(wait=False)
            with suppress(Exception):
                client.close(timeout=2)


def _seldom(ask: Callable[[], int], seconds: float = 1.0) -> Callable[[], int]:
    """The answer to a question that takes time, asked again once it is so old."""
    asked, answer = -math.inf, 0

    def last() -> int:
        nonlocal asked, answer
        if time.monotonic() > asked + seconds:
            answer, asked = ask(), time.monotonic()
        return answer

    return last


@contextmanager
def _silent(*libraries: str) -> Iterator[None]:
    """Keep libraries from writing to stderr: what must be said of them is said by us, in a line."""
    named = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.split(".")[0] in libraries]
    speaking = [logger for logger in named if not logger.disabled]
    for logger in speaking:
        logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger in speaking:
            logger.disabled = False

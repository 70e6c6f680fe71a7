"""Where batches are learned: in this process, in spawned processes, or on a Dask cluster; all behind one interface."""

import os
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

from allpay.errors import AllpayError
from allpay.learners.base import THREADS


@contextmanager
def executor(workers: int = 1, scheduler: str | None = None) -> Iterator[Executor | None]:
    """An executor for batches; None stands for this process, which needs none.

    Args:
        workers: how many processes. They are spawned, since JAX and threads do not survive a fork, and share the cores.
        scheduler: the address of a running Dask scheduler, instead of own processes.

    Raises:
        AllpayError: if there is no such scheduler, or Dask is not installed, or workers are fewer than one.
    """
    if workers < 1:
        raise AllpayError(f"workers must be at least 1: got {workers}")
    if scheduler is not None:
        try:
            from distributed import Client
        except ModuleNotFoundError:
            raise AllpayError("a scheduler needs Dask: install it with pip install 'allpay[cluster]'") from None
        try:
            client = Client(scheduler, timeout=10, set_as_default=False)
        except (OSError, ValueError) as error:
            reason = type(error).__name__
            raise AllpayError(
                f"no Dask scheduler answers at {scheduler} ({reason}): start one there, or check it"
            ) from None
        with client, client.get_executor() as remote:
            yield remote
    elif workers > 1:
        share = max(1, (os.cpu_count() or 1) // workers)
        with ProcessPoolExecutor(workers, get_context("spawn"), _take, (share,)) as processes:
            try:
                yield processes
            except BaseException:
                processes.shutdown(wait=False, cancel_futures=True)
                raise
    else:
        yield None


def _take(threads: int) -> None:
    """Let the learners of this process use so many threads."""
    os.environ[THREADS] = str(threads)

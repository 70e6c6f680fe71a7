"""A process that computes for the page, one task after another: the page stays quick, and what takes too long can be stopped.

Started by spawn, for JAX does not survive a fork. A task is a generator of
`answers`, `learning` or `past`; it is sent by its name, so that the page need not import what computes.
"""

import asyncio
import contextlib
import multiprocessing
import signal
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

PART, END, WRONG = "part", "end", "wrong"


class Stopped(Exception):
    """The process was stopped while it computed."""


class Worker:
    """One such process; it starts again by itself when it is asked after it was stopped."""

    def __init__(self) -> None:
        self._process: Any = None
        self._pipe: Connection | None = None
        self._free = asyncio.Lock()
        self._waits = ThreadPoolExecutor(1)

    @property
    def busy(self) -> bool:
        """Whether it computes now."""
        return self._free.locked()

    def start(self) -> None:
        """Start the process, unless it is there; it imports what it needs at once."""
        if self._process is not None and self._process.is_alive():
            return
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()  # so that the end of the process is seen here

    def stop(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = None

    def close(self) -> None:
        """End the process for good."""
        self.stop()
        self._waits.shutdown(wait=False, cancel_futures=True)

    async def stream(self, task: str, *given: Any) -> AsyncIterator[Any]:
        """What a task yields, one by one.

        Raises:
            Stopped: if the process was stopped, or ended.
            ValueError: with the message of what the task raised.
        """
        async with self._free:
            self.start()
            assert self._pipe is not None
            pipe, loop = self._pipe, asyncio.get_running_loop()
            try:
                pipe.send((task, given))
                while True:
                    kind, value = await loop.run_in_executor(self._waits, pipe.recv)
                    if kind == END:
                        return
                    if kind == WRONG:
                        raise ValueError(value)
                    yield value
            except (EOFError, OSError):
                self._process = None
                raise Stopped from None
            except (
                asyncio.CancelledError,
                GeneratorExit,
            ):  # whoever asked has gone: what is left in the pipe is nobody's
                self.stop()
                raise

    async def ask(self, task: str, *given: Any) -> Any:
        """The last thing that a task yields.

        Raises:
            Stopped, ValueError: see `stream`.
        """
        found = None
        async for part in self.stream(task, *given):
            found = part
        return found


class Desk:
    """The processes that compute for all visitors: one that answers at once, one for what takes longer, and one for each who
    lets bidders learn."""

    def __init__(self) -> None:
        self.quick, self.second = Worker(), Worker()
        self.learning: set[Worker] = set()

    def start(self) -> None:
        """Let the first process import what it needs, while the page is still built; the others follow when they are asked."""
        self.quick.start()

    def close(self) -> None:
        """End all of them."""
        for worker in (self.quick, self.second, *self.learning):
            worker.close()


def _serve(pipe: Connection) -> None:
    """The process: take tasks until the page is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the page, which ends this process
    from allpay.app import answers  # noqa: F401  # what takes a while is there before the first task
    from allpay.errors import AllpayError, one_line, shortened

    with contextlib.suppress(EOFError, OSError):
        while True:
            name, given = pipe.recv()
            module, _, task = name.partition(".")
            try:
                for part in getattr(import_module(f"allpay.app.{module}"), task)(*given):
                    pipe.send((PART, part))
                pipe.send((END, None))
            except AllpayError as error:
                pipe.send((WRONG, str(error)))
            except Exception as error:  # of a part that nobody thought of: told, and the page lives on
                pipe.send((WRONG, f"this could not be computed: {shortened(one_line(str(error)), 160)}"))

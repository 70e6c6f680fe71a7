"""Telling somebody how far long work is, and what they must know of it. Who that is, and how it looks, is their matter.

Work that is called through the code of others says it to whoever listens in its thread: `advance`, `tell`.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from threading import Event, Thread
from typing import NamedTuple, Protocol

FIRST_WAIT, LONGEST_WAIT = 30.0, 60.0
"""Seconds before the first line of long work, and the most between two; the waits double."""


class Reporter(Protocol):
    """Who is told how far long work is. Each stage is entered once; `advance` gets the part done and the whole."""

    def stage(self, what: str) -> AbstractContextManager[object]: ...

    def advance(self, done: float, total: float) -> None: ...


class Silent:
    """A reporter that says nothing."""

    def stage(self, what: str) -> AbstractContextManager[object]:
        return nullcontext()

    def advance(self, done: float, total: float) -> None:
        pass


class Lines:
    """A reporter that writes a plain line now and then, for long work whose output goes into a file or a pipe.

    Args:
        write: is given each line, in a thread of its own.
        unit: what is counted.
    """

    def __init__(self, write: Callable[[str], None], unit: str) -> None:
        self._write, self._unit = write, unit
        self._what, self._count = "", ""

    @contextmanager
    def stage(self, what: str) -> Iterator[None]:
        self._what, self._count = what, ""
        yield

    def advance(self, done: float, total: float) -> None:
        self._count = f", {int(done)} of {total:.0f} {self._unit}"

    @contextmanager
    def writing(self) -> Iterator["Lines"]:
        """Write until the work is done."""
        over = Event()
        thread = Thread(target=self._until, args=(over,), name="progress", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            over.set()
            thread.join()

    def _until(self, over: Event) -> None:
        start, wait = time.monotonic(), FIRST_WAIT
        with suppress(OSError, ValueError):  # a stream that was closed: then nobody is told
            while not over.wait(wait):
                if self._what:
                    self._write(f"{self._what}{self._count}, {time.monotonic() - start:.0f} s")
                wait = min(2 * wait, LONGEST_WAIT)


class _Ears(NamedTuple):
    advance: Callable[[float, float], None]
    tell: Callable[[str], None]


_ears = ContextVar("ears", default=_Ears(Silent().advance, logging.getLogger("allpay").warning))  # noqa: B039


@contextmanager
def listening(
    advance: Callable[[float, float], None] | None = None, tell: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Listen to how far what is done here is, or to what must be known of it; without that nobody is told how far it is, and
    what must be known is a warning in Python's log."""
    outer = _ears.get()
    token = _ears.set(_Ears(advance or outer.advance, tell or outer.tell))
    try:
        yield
    finally:
        _ears.reset(token)


def advance(done: float, total: float) -> None:
    """Say what part of the work is done."""
    _ears.get().advance(done, total)


def tell(text: str) -> None:
    """Say what must be known, in one line."""
    _ears.get().tell(text)

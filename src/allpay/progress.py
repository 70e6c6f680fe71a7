"""Telling somebody how far long work is, and what they must know of it. Who that is, and how it looks, is their matter.

Work that is called through the code of others says it to whoever listens in its thread: `advance`, `tell`.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import NamedTuple, Protocol


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

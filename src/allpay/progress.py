"""Telling somebody how far long work is. Who that is, and how it looks, is their matter."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Reporter(Protocol):
    """Who is told how far long work is. Each stage is entered once; `advance` gets the part done and the whole."""

    def stage(self, what: str) -> AbstractContextManager[object]: ...

    def advance(self, done: int, total: int) -> None: ...


class Silent:
    """A reporter that says nothing."""

    def stage(self, what: str) -> AbstractContextManager[object]:
        return nullcontext()

    def advance(self, done: int, total: int) -> None:
        pass

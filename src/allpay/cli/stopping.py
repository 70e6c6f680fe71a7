"""How the program ends when it is asked to: by Ctrl-C or by SIGTERM, in one line, whatever is running.

Imports next to nothing, so that it is there before anything that takes time is imported.
"""

import os
import signal
import sys

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

SHOW_CURSOR = b"\x1b[?25h\n"
"""Ends what a progress bar has done to a terminal."""


class Terminated(KeyboardInterrupt):
    """The system, or another program, has asked this one to end."""


def status_of(error: BaseException) -> int:
    """The exit status of a program that a signal has ended."""
    return 128 + (signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT)


class StoppedBySignals:
    """While this context lasts, Ctrl-C and SIGTERM end the program; where they are ignored already, they stay so."""

    def __enter__(self) -> None:
        self.before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        for number, usual in self.before.items():
            if usual in (signal.default_int_handler, signal.SIG_DFL):
                signal.signal(number, _stop)

    def __exit__(self, *_: "type[BaseException] | BaseException | TracebackType | None") -> None:
        for number, usual in self.before.items():
            if signal.getsignal(number) == _stop:
                signal.signal(number, usual)


class Keeping:
    """While this context lasts, the line that tells of the end says what is kept, and the end is logged."""

    def __init__(self, what: str, log: "Callable[[str], None]") -> None:
        self.what, self.log = what, log

    def __enter__(self) -> None:
        _kept.append(self)

    def __exit__(self, *_: "type[BaseException] | BaseException | TracebackType | None") -> None:
        _kept.remove(self)


_kept: list[Keeping] = []
"""What is kept now, the innermost last."""


def _stop(number: int, _: "FrameType | None") -> None:
    """End the program here and now.

    An exception would have to pass through whatever runs: JAX swallows it where it collects garbage, compilers make another
    error of it, and an interpreter that is taken down while XLA's threads work ends in a segmentation fault. Only where
    processes of ours are at work it is an exception, so that they are ended before this one is.
    """
    if _has_children():
        raise (Terminated if number == signal.SIGTERM else KeyboardInterrupt)
    how = "terminated" if number == signal.SIGTERM else "stopped"
    for kept in _kept[-1:]:
        try:  # noqa: SIM105
            kept.log(f"{how} by {signal.Signals(number).name}")
        except Exception:
            pass  # it ends in any case
    try:  # past Python's files, which the signal may have interrupted
        if os.isatty(2):
            os.write(2, SHOW_CURSOR)
        os.write(2, os.fsencode(f"allpay: {how}{''.join(kept.what for kept in _kept[-1:])}\n"))
    except OSError:
        pass
    _end(128 + number)


def _has_children() -> bool:
    processes = sys.modules.get("multiprocessing.process")
    return processes is not None and bool(processes.active_children())


def _end(status: int) -> None:
    files = sys.modules.get("allpay.files")
    if files is not None:
        files.abandon()
    os._exit(status)

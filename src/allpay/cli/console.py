"""How the program speaks: an error is one line and a status, long work has bars on stderr, results may be JSON."""

import errno
import functools
import json
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from allpay.errors import AllpayError, printable

if TYPE_CHECKING:
    from rich.progress import Progress

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130

NOT_WRITTEN = {errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
"""What the system says where output cannot be written."""


PLAINER = {
    "Input should be a valid integer, unable to parse string as an integer": "it must be a whole number",
    "Input should be a valid number, unable to parse string as a number": "it must be a number",
}
"""What the parser says of a value of the wrong kind, and what users are told."""


def in_one_line(function: Callable[..., None]) -> Callable[..., None]:
    """The command, its bad input ending in one line on stderr and a nonzero status, with nothing lost."""

    @functools.wraps(function)
    def wrapped(*args: Any, **options: Any) -> None:
        if sys.stdout is None:
            fail("stdout is closed: send it to a file, or to /dev/null", FAILED)
        try:
            function(*args, **options)
            sys.stdout.flush()
        except AllpayError as error:
            fail(str(error), BAD_INPUT)
        except KeyboardInterrupt:
            fail("stopped", INTERRUPTED)
        except BrokenPipeError:  # the reader of a pipe has seen enough
            discard_output()
            raise typer.Exit(0) from None
        except OSError as error:
            if error.filename is not None:
                fail(f"cannot use {error.filename}: {error.strerror}; choose another place", FAILED)
            if error.errno not in NOT_WRITTEN:
                raise
            discard_output()
            fail(f"cannot write the results: {error.strerror}; send stdout elsewhere", FAILED)
        except MemoryError as error:
            detail = f" ({error})" if str(error) else ""
            fail(f"out of memory{detail}: take fewer bidders, values, bids or rounds", FAILED)

    return wrapped


def discard_output() -> None:
    """Send what stdout still holds nowhere, or the interpreter tries to write it once more as it ends, and complains."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(message: str, status: int) -> NoReturn:
    """End the program with one line."""
    typer.echo(f"allpay: {printable(message)}", err=True)
    raise typer.Exit(status)


def usage_in_one_line(error: Exception, arguments: Sequence[str]) -> str | None:
    """What is wrong with the arguments, by the error of the parser; None if that is another error."""
    context, say = getattr(error, "ctx", None), getattr(error, "format_message", None)
    if say is None:
        return None
    if type(error).__name__ == "NoArgsIsHelpError":
        return str(say())
    names = getattr(getattr(error, "param", None), "opts", ())
    words = [
        word for argument in arguments for word in (argument.split("=", 1) if argument[:2] == "--" else [argument])
    ]
    given = [value for name, value in pairwise(words) if name in names]
    got = f": got {given[-1]}" if given else ""
    told = " ".join(say().split()).rstrip(".")
    for parsers, plainer in PLAINER.items():
        told = told.replace(parsers, plainer)
    return f"allpay: {told}{got}; see {context.command_path if context else 'allpay'} --help"


def print_json(values: Mapping[str, Any]) -> None:
    """One JSON object on stdout; what is not a number is null."""
    print(json.dumps(plain(values), allow_nan=False))


def plain(value: Any) -> Any:
    """A value as JSON takes it."""
    if isinstance(value, Mapping):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


class Bars:
    """Tells on stderr how far long work is: a bar for each stage, with the time that is left."""

    def __init__(self, progress: "Progress") -> None:
        self.progress = progress
        self.task: Any = None
        self.started = self.interrupted = False

    @contextmanager
    def stage(self, what: str) -> Iterator[None]:
        self.task = self.progress.add_task(what, total=None)
        self.started = True
        self.stop_if_interrupted()
        yield
        self.stop_if_interrupted()
        total = self.progress.tasks[self.task].total or 1
        self.progress.update(self.task, total=total, completed=total)

    def advance(self, done: float, total: float) -> None:
        self.progress.update(self.task, completed=done, total=total, counted=True)

    def interrupt(self, _: int, frame: FrameType | None) -> None:
        """Stop at a Ctrl-C; but where a library would catch that, or make another error of it, at the next stage.

        They do while they are imported, before the first stage, and JAX while Python collects garbage.
        """
        caught = not self.started or (frame is not None and frame.f_code.co_name.endswith("gc_callback"))
        if self.interrupted or not caught:
            raise KeyboardInterrupt
        self.interrupted = True

    def stop_if_interrupted(self) -> None:
        if self.interrupted:
            raise KeyboardInterrupt


@contextmanager
def reporting(unit: str = "designs") -> Iterator[Bars]:
    """Progress bars on stderr while it is a terminal; and what must be known, in any case."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task
    from rich.progress import TimeElapsedColumn as Elapsed
    from rich.progress import TimeRemainingColumn as Remaining
    from rich.table import Column
    from rich.text import Text

    from allpay.progress import listening

    class What(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(task.description, no_wrap=True, overflow="ellipsis")

    class Count(ProgressColumn):
        def render(self, task: Task) -> Text:
            counted = task.fields.get("counted")
            return Text(f"{int(task.completed)}/{task.total:.0f} {unit}" if counted else "", style="progress.download")

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed if task.fields.get("counted") else None
            return Text(f"{speed:.3g}/s" if speed else "", style="progress.data.speed")

    def whole() -> Column:
        return Column(no_wrap=True)

    console = Console(stderr=True)
    columns = (  # where the terminal is narrow, what is being done is cut short, not how far it is
        SpinnerColumn(table_column=whole()),
        What(),
        BarColumn(bar_width=12, table_column=whole()),
        Count(table_column=whole()),
        Rate(table_column=whole()),
        Elapsed(table_column=whole()),
        Remaining(table_column=whole()),
    )
    # batches may take minutes: what is done in the last ones says how long the others will take
    bars = Progress(*columns, console=console, disable=not console.is_terminal, speed_estimate_period=900)
    with bars as progress, listening(tell=lambda text: typer.echo(f"allpay: {printable(text)}", err=True)):
        reporter, before = Bars(progress), signal.getsignal(signal.SIGINT)
        if before is signal.default_int_handler and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, reporter.interrupt)
        try:
            yield reporter
        finally:
            if signal.getsignal(signal.SIGINT) == reporter.interrupt:
                signal.signal(signal.SIGINT, before)

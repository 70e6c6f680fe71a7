"""How the program speaks: an error is one line and a status, long work has bars on stderr, results may be JSON."""

import codecs
import errno
import functools
import inspect
import io
import json
import logging
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from allpay.cli.stopping import Terminated, status_of
from allpay.errors import LONGEST, AllpayError, meant, one_line, printable, short, shortened
from allpay.progress import Lines, Reporter, listening

if TYPE_CHECKING:
    from rich.progress import Progress

FAILED, BAD_INPUT = 1, 2

SIGNALLED = {128 + signal.SIGINT, 128 + signal.SIGTERM}
"""The statuses of a program that a signal has ended."""

LEAST_COLUMNS, MOST_COLUMNS = 40, 1000
"""Other widths of a terminal are not believed, and the usual one is taken."""

ANY_SIGN = "allpay"
"""The name of how the program's streams write signs that their encoding does not have."""

WARNINGS: ContextVar[tuple[str, ...]] = ContextVar("warnings", default=())
"""What is to be said beside the answer of the command that runs; each command begins with none."""

EXACT = 2**53
"""Above this, programs that read the numbers of JSON as floats take one whole number for another."""

NOT_WRITTEN = {errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
"""What the system says where output cannot be written."""


NOT_A_PLACE = {
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENOENT,
    errno.EEXIST,
    errno.ELOOP,
    errno.EINVAL,
}
"""What the system says of a path that is wrong, where another would do."""

SIZES = ("samples", "rounds", "bidders", "value_levels", "bid_levels", "iterations", "workers")
"""The options that say how much memory a command takes."""

BELOW = "a number below 0 is read as an option; no prize is below 0"
"""What is said of one that stands where an option might."""

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
        WARNINGS.set(())
        with ending_in_one_line():
            try:
                function(*args, **options)
            except MemoryError as error:
                fail(out_of_memory(error, function, options), FAILED)
            sys.stdout.flush()

    return wrapped


def out_of_memory(error: MemoryError, function: Callable[..., None], options: Mapping[str, Any]) -> str:
    """What to say where memory is full: which sizes the command was given, or which it has."""
    detail = f" ({shortened(str(error), 100)})" if str(error) else ""
    usual = inspect.signature(function).parameters
    given = [name for name in SIZES if name in options and options[name] != usual[name].default]
    if given:
        asked = [f"--{name.replace('_', '-')} (got {short(options[name])})" for name in given]
        remedy = f"take fewer {' or '.join(asked)}"
    elif "rounds" in options:
        remedy = f"take fewer {'samples, ' if 'samples' in options else ''}bidders, values, bids or rounds"
    elif "workers" in options:  # of a study file or folder
        remedy = "take fewer samples, rounds, bidders, values or bids in the study"
    else:
        remedy = "close other programs, or take a machine with more"
    return f"out of memory{detail}: {remedy}"


def _path(name: object) -> str:
    """A path in words, shortened."""
    return shortened(one_line(os.fsdecode(name) if isinstance(name, bytes) else str(name)), 120)


@contextmanager
def ending_in_one_line() -> Iterator[None]:
    """End the program with one line and a status at an error that can be foreseen."""
    try:
        yield
    except AllpayError as error:
        fail(str(error), BAD_INPUT)
    except KeyboardInterrupt as error:
        fail("terminated" if isinstance(error, Terminated) else "stopped", status_of(error))
    except EOFError as error:  # the parser would take it for a Ctrl-C
        raise RuntimeError(f"something that was read ended too soon: {error}") from error
    except (BrokenPipeError, SystemExit):  # the reader of a pipe has seen enough; SystemExit is what Rich makes of it
        discard_output()
        raise typer.Exit(0) from None
    except OSError as error:
        if error.filename is not None:
            status = BAD_INPUT if error.errno in NOT_A_PLACE else FAILED
            fail(f"cannot use {_path(error.filename)}: {error.strerror}; choose another place", status)
        if error.errno not in NOT_WRITTEN:
            raise
        discard_output()
        fail(f"cannot write the results: {error.strerror}; send stdout elsewhere", FAILED)
    except MemoryError as error:
        detail = f" ({shortened(str(error), 100)})" if str(error) else ""
        fail(f"out of memory{detail}: close other programs, or take a machine with more", FAILED)
    except ValueError as error:
        if "null byte" not in str(error) and "null character" not in str(error):
            raise
        fail("a path has a null character in it: choose another place", BAD_INPUT)


def discard_output() -> None:
    """Send what stdout still holds nowhere, or the interpreter tries to write it once more as it ends, and complains."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(message: str, status: int) -> NoReturn:
    """End the program with one line: of an error at most `LONGEST` characters, but how to go on is told in full."""
    line = f"allpay: {message}"
    with suppress(OSError):  # where stderr cannot be written, the status must do
        typer.echo(printable(line) if status in SIGNALLED else shortened(one_line(line), LONGEST), err=True)
    raise typer.Exit(status)


def run_program(app: typer.Typer) -> NoReturn:
    """Run the command line as a program of its own, and end it with a status."""
    ready_terminal()
    try:
        with ending_in_one_line():
            status = app(standalone_mode=False, prog_name="allpay")
            if sys.stdout is not None:
                sys.stdout.flush()
    except typer.Exit as end:
        status = end.exit_code
    except typer.Abort as error:
        status = status_of(error)
    except Exception as error:
        line = usage_in_one_line(error, sys.argv[1:])
        if line is None:
            raise
        if line:
            typer.echo(line, err=True)
        status = BAD_INPUT
    if status in SIGNALLED:  # threads that learn would be waited for, and XLA's may not see the interpreter taken down
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        shared = sys.modules.get("multiprocessing.util")
        if shared is not None:  # what was shared with processes that have ended would else be told as leaked
            shared._exit_function()
        os._exit(status)
    sys.exit(status)


def ready_terminal() -> None:
    """Let nothing in the surroundings keep results from being shown: signs that it has not, or widths that no terminal has."""
    codecs.register_error(ANY_SIGN, _any_sign)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ANY_SIGN)
    columns = os.environ.get("COLUMNS", "80").strip()
    if not (columns.isdecimal() and len(columns) < 5 and LEAST_COLUMNS <= int(columns) <= MOST_COLUMNS):
        del os.environ["COLUMNS"]
    # what must be known and is told in a thread that nobody listens to
    logger = logging.getLogger("allpay")
    if not any(isinstance(handler, _Told) for handler in logger.handlers):
        logger.addHandler(_Told())


class _Told(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):
            typer.echo(f"allpay: {record.getMessage()}", err=True)


def _any_sign(error: UnicodeError) -> tuple[str | bytes, int]:
    """Write the bytes of a path as they are, and a question mark for a sign that the terminal has not."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    sign = ord(error.object[error.start])
    return bytes([sign - 0xDC00]) if 0xDC80 <= sign <= 0xDCFF else "?", error.start + 1


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
    got = f": got {shortened(one_line(given[-1]), 60)}" if given else ""
    told = one_line(say()).rstrip(".")
    if type(error).__name__ == "NoSuchOption" and context is not None:
        # of -7500 the parser names the first letter only; and what it suggests may be far
        option = getattr(error, "option_name", "")
        word = next((word for word in arguments if word[:2] == option and option != "--"), option)
        near = meant(word.lstrip("-"), [name.lstrip("-") for other in context.command.params for name in other.opts])
        below = word[1:2].isdigit() or word[1:2] == "."
        hint = near[2:].replace("'", "'--", 1) or (BELOW if below else "")
        told = f"No such option: {shortened(one_line(word), 60)}{f' ({hint})' if hint else ''}"
    for parsers, plainer in PLAINER.items():
        told = told.replace(parsers, plainer)
    see = f"{got}; see {context.command_path if context else 'allpay'} --help"
    return shortened(f"allpay: {told}", LONGEST - len(see)) + see


def print_json(values: Mapping[str, Any]) -> None:
    """One JSON object on stdout; what is not a number is null. What its values are warned of goes with it."""
    warnings = list(WARNINGS.get())
    print(json.dumps(plain({**values, "warnings": warnings} if warnings else values), allow_nan=False))


def plain(value: Any) -> Any:
    """A value as JSON takes it; whole numbers that not every reader takes exactly are text."""
    if isinstance(value, Mapping):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and abs(value) > EXACT:
        return str(value)
    return value


class Bars:
    """Tells on stderr how far long work is: a bar for each stage, with the time that is left."""

    def __init__(self, progress: "Progress") -> None:
        self.progress = progress
        self.task: Any = None

    @contextmanager
    def stage(self, what: str) -> Iterator[None]:
        self.task = self.progress.add_task(what, total=None)
        yield
        total = self.progress.tasks[self.task].total or 1
        self.progress.update(self.task, total=total, completed=total)

    def advance(self, done: float, total: float) -> None:
        self.progress.update(self.task, completed=done, total=total, counted=True)


@contextmanager
def reporting(unit: str = "designs") -> Iterator[Reporter]:
    """How far long work is, on stderr: bars if it is a terminal, else a line now and then; and what must be known, at once."""

    def say(text: str) -> None:
        typer.echo(f"allpay: {printable(text)}", err=True)

    with listening(tell=say):
        if sys.stderr is not None and sys.stderr.isatty():  # whatever colours are asked for
            bars = _bars(unit)
            with bars:
                yield Bars(bars)
        else:
            with Lines(say, unit).writing() as lines:
                yield lines


def _bars(unit: str) -> "Progress":
    """The bars, which count in these units."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task
    from rich.progress import TimeElapsedColumn as Elapsed
    from rich.progress import TimeRemainingColumn as Remaining
    from rich.table import Column
    from rich.text import Text

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
    return Progress(*columns, console=console, speed_estimate_period=900)

"""The folder that a study is kept in: its specification, one immutable Parquet file for each finished batch, and a log.

A file under its own name is whole: it was written to a temporary name, flushed to the disk and renamed. Every batch says which
study it is of, by what it was computed and what it holds, so that one that is damaged, changed or another study's is noticed.

A folder may come from somebody else. Nothing that it names is imported here, no link in it is followed, and nothing is unpacked
or allocated on the word of a file that says too much of itself (`received`, `parquet`).
"""

import errno
import hashlib
import io
import json
import os
import platform
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import numpy as np
import polars as pl
from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from allpay.errors import AllpayError, printable, short
from allpay.files import UNFINISHED, check_place, clear, in_shell, read_text, write
from allpay.outcome import Verdict
from allpay.progress import tell
from allpay.study.bids import SCHEMA as BIDS_SCHEMA
from allpay.study.outcomes import SCHEMA as OUTCOMES_SCHEMA
from allpay.study.parquet import Header, header
from allpay.study.received import BatchKept, FolderKept, without_objective
from allpay.versions import in_words

SPECIFICATION = "study.json"
RESULT = "result.json"
SURROGATE = "surrogate.npz"
LOG = "log.txt"
LOCK = ".lock"
SOFT_LOCK = ".lock-by-file"
BATCHES = "batches"
BIDS = "bids"
OUTCOMES = "outcomes"
CHECKPOINTS = "checkpoints"

FORMAT = 2
"""Of the folder; another allpay that keeps it otherwise has another."""

MOMENT = 0.3
"""Seconds that `allpay status` may hold the lock to see whether somebody has it."""

MOST_TEXT = 100_000_000
"""Bytes that a specification may have; a million designs given as numbers fit."""

MOST_BATCH = 2**30
"""Bytes that the file of a batch may have."""

MOST_ROWS = 10_000_000
"""Rows of a batch, where it is not known how many there must be."""

CELL, BESIDE = 64, 2**20
"""Bytes that a batch may unpack to for each of its numbers, and beside them."""

MOST_OUTCOMES = 2**30
"""Bytes that the strategies of a batch may unpack to: twice what a batch is made for."""

FILES = (SPECIFICATION, f".{SPECIFICATION}", RESULT, SURROGATE, LOG, LOCK, SOFT_LOCK)
"""The files of a folder that are read or added to."""

VERDICTS = {verdict.value for verdict in Verdict}
"""What a verdict can be."""

NO_LOCKS = {
    getattr(errno, name) for name in ("ENOSYS", "ENOTSUP", "EOPNOTSUPP", "ENOLCK", "EINVAL") if hasattr(errno, name)
}
"""What systems say where a file system has no locks."""

MEASURED = 10
"""So many columns of a batch come after those of its designs."""

DESIGN_COLUMN = re.compile(r"w[1-9]\d*|[a-z]+(_[a-z]+)*(:[1-9]\d*)?")
"""How a column of designs is called: the weight of a rank, or what is chosen beside the weights."""

_METADATA = "allpay"


@dataclass(frozen=True)
class Held:
    """What the specification file of a folder holds.

    Attributes:
        specification: of the study, as plain JSON values.
        designs_per_batch: how it is parted into batches.
        versions: of what made the folder; each batch says what computed it.
    """

    specification: dict[str, Any]
    designs_per_batch: int
    versions: dict[str, str]

    @cached_property
    def identity(self) -> str:
        """A digest of what the batches depend on: batches of two folders can be exchanged if they have the same. What designs
        are good for changes no round, but which ones an active study chooses."""
        return self._digest(without_objective(self.specification, active=True))

    @cached_property
    def identities(self) -> tuple[str, str]:
        """By which its files are known: its identity, and how an older allpay wrote it, with the objective in any case."""
        return self.identity, self._digest(self.specification)

    def _digest(self, specification: dict[str, Any]) -> str:
        text = json.dumps([specification, self.designs_per_batch], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def text(self) -> str:
        """The file."""
        held = {field.name: getattr(self, field.name) for field in fields(self)}
        return json.dumps({"format": FORMAT, "identity": self.identity, **held}, indent=2)


@dataclass(frozen=True)
class Store:
    """An open study folder."""

    folder: Path
    held: Held

    def read_batch(self, number: int, rows: int | None = None) -> tuple[pl.DataFrame, dict[str, str]] | None:
        """The table of a finished batch and the versions that computed it; None if there is none, or its file is not whole,
        not of this batch, or has not so many rows, or the file of its bids is not as it was written.

        Raises:
            AllpayError: if it is a link, or no file.
        """
        file = _BatchFile.read(self._batch(number))
        if file is None or file.made.study not in self.held.identities or file.made.batch != number:
            return None
        for part, content in ((BIDS, file.made.bids), (OUTCOMES, file.made.outcomes)):
            if content is not None and self._beside(part, number, content) is None:
                return None
        table = file.table(rows)
        return None if table is None or digest(table) != file.made.content else (table, dict(file.made.versions))

    def read_bids(self, number: int) -> pl.DataFrame | None:
        """What was bid in a finished batch, which has been looked at; None if it was learned before bids were kept.

        Raises:
            AllpayError: if its file has been damaged since then.
        """
        return self._read_beside(BIDS, number, BIDS_SCHEMA)

    def read_outcomes(self, number: int) -> pl.DataFrame | None:
        """What is kept of the outcome of a finished batch, which has been looked at, in the columns of `outcomes.SCHEMA`; None
        if it was too much, or learned before it was kept.

        Raises:
            AllpayError: if its file has been damaged since then.
        """
        return self._read_beside(OUTCOMES, number, OUTCOMES_SCHEMA, MOST_OUTCOMES)

    def _read_beside(self, part: str, number: int, schema: pl.Schema, more: int = 0) -> pl.DataFrame | None:
        """A table beside that of a batch, in a folder of its own; it may unpack to so many bytes more than its cells say."""
        file = _BatchFile.read(self._batch(number))
        content = None if file is None else getattr(file.made, part)
        if file is not None and content is None:
            return None
        data = None if content is None else self._beside(part, number, content)
        table = None if data is None else _table_in(data, schema, more)
        if table is None:
            raise AllpayError(
                f"the {part} of batch {number} in {self.folder} have been damaged or deleted: run it again"
            )
        return table

    def _beside(self, part: str, number: int, content: str) -> bytes | None:
        """The file of such a table, if it is there and as it was written."""
        path = self.folder / part / self._batch(number).name
        check_place(path)
        try:
            if path.stat().st_size > MOST_BATCH:
                return None
            with _opened(path) as file:
                data = file.read()
        except FileNotFoundError:
            return None
        return data if hashlib.sha256(data).hexdigest() == content else None

    def files(self, batches: int) -> tuple[list[int], list[Path]]:
        """Which of so many batches have a file, whole or not, and the files among theirs that are not of this study."""
        numbers = {self._batch(number): number for number in range(batches)}
        ours, others = [], []
        for path in _entries(self.folder / BATCHES):
            if path.suffix == ".parquet":
                file = _BatchFile.read(path) if path in numbers else None
                if path in numbers and (file is None or file.made.study in self.held.identities):
                    ours.append(numbers[path])
                else:
                    others.append(path)
        return ours, others

    def set_aside(self, path: Path) -> Path:
        """Move a file that is not of this study out of the way; what has been set aside before stays as it is."""
        times = 1
        while (place := self.folder / f"foreign-{'' if times == 1 else f'{times}-'}{path.name}").exists():
            times += 1
        return path.rename(place)

    def write_batch(
        self,
        number: int,
        table: pl.DataFrame,
        versions: dict[str, str],
        bids: pl.DataFrame | None = None,
        outcomes: pl.DataFrame | None = None,
    ) -> None:
        """Keep the table of a finished batch, and, before it, what was bid and what is kept of outcomes, of which its file has
        digests.

        Raises:
            AllpayError: if it cannot be written.
        """
        made: dict[str, Any] = {
            "study": self.held.identity,
            "batch": number,
            "versions": versions,
            "content": digest(table),
        }
        for part, beside in ((BIDS, bids), (OUTCOMES, outcomes)):
            if beside is not None:
                made[part] = self._write_beside(part, number, beside)
        metadata = {_METADATA: json.dumps(made)}
        write(self._batch(number), lambda file: table.write_parquet(file, metadata=metadata))
        self.checkpoint(number).unlink(missing_ok=True)

    def _write_beside(self, part: str, number: int, table: pl.DataFrame) -> str:
        """Keep a table beside that of a batch; what is returned is its digest."""
        content = io.BytesIO()
        table.write_parquet(content)
        (self.folder / part).mkdir(exist_ok=True)
        write(self.folder / part / self._batch(number).name, lambda file: file.write(content.getvalue()))
        return hashlib.sha256(content.getvalue()).hexdigest()

    def checkpoint(self, number: int) -> Path:
        """The file in which the runs of a batch are kept while they are learned; its folder is there if one may be."""
        return self.folder / CHECKPOINTS / f"batch-{number:05d}.npz"

    def log(self, text: str) -> None:
        """Add a line to the log. A disk that is full is no reason to fail."""
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S %z')}  {printable(text)}\n"
        with suppress(OSError), (self.folder / LOG).open("a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(line)

    def tell(self, text: str) -> None:
        """Add a line to the log, and say it."""
        self.log(text)
        tell(text)

    def _batch(self, number: int) -> Path:
        return self.folder / BATCHES / f"batch-{number:05d}.parquet"


def schema_of(names: Sequence[str]) -> pl.Schema:
    """The columns of every batch, and their types; of designs with these columns, see `DesignSpace.names`."""
    measured = ("revenue", "highest_bid", "realised_revenue", "realised_highest_bid", "payoff", "exploitability")
    numbers = (*names, *measured, "relative_exploitability")
    before = {"design": pl.Int64(), "round": pl.Int64()}
    after = {"verdict": pl.String(), "iterations": pl.Int64(), "seed": pl.UInt64()}
    return pl.Schema({**before, **dict.fromkeys(numbers, pl.Float64()), **after})


@dataclass(frozen=True)
class _BatchFile:
    """The file of a batch, of which nothing has been unpacked, and what it says of itself."""

    data: bytes
    header: Header
    made: BatchKept

    @classmethod
    def read(cls, path: Path) -> "_BatchFile | None":
        """None if there is none, or it cannot be read."""
        check_place(path)
        try:
            if path.stat().st_size > MOST_BATCH:
                return None
            with _opened(path) as file:
                data = file.read()
            found = header(data)
            return cls(data, found, BatchKept.model_validate(json.loads(found.metadata[_METADATA])))
        except AllpayError:
            raise
        except (OSError, ValueError, KeyError, RecursionError):
            return None

    def table(self, rows: int | None) -> pl.DataFrame | None:
        """Its rows; None if they are not as many, or not such as `schema_of` says."""
        said = self.header
        if said.rows > MOST_ROWS or (rows is not None and said.rows != rows):
            return None
        if said.size > CELL * said.rows * said.columns + BESIDE:
            return None
        try:
            table = pl.read_parquet(io.BytesIO(self.data), use_pyarrow=False)
            names = table.columns[2 : len(table.columns) - MEASURED]
            known = all(DESIGN_COLUMN.fullmatch(name) for name in names)
            whole = known and table.schema == schema_of(names) and not any(table.null_count().row(0))
            return table if whole and set(table["verdict"].unique()) <= VERDICTS else None
        except pl.exceptions.PolarsError:
            return None


def _table_in(data: bytes, schema: pl.Schema, more: int) -> pl.DataFrame | None:
    """The table that a file holds; None if it holds no such one, or says that it unpacks to more than it can."""
    try:
        said = header(data)
        if said.rows > MOST_ROWS or said.size > CELL * said.rows * said.columns + BESIDE + more:
            return None
        table = pl.read_parquet(io.BytesIO(data), use_pyarrow=False)
    except (ValueError, pl.exceptions.PolarsError):
        return None
    return table if table.schema == schema and not any(table.null_count().row(0)) else None


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder that may not be there, in order."""
    check_place(folder, folder=True)
    try:
        return sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise AllpayError(f"cannot read {folder}: {error.strerror}; ask its owner, or copy it as its owner") from None


def check_folder(folder: Path) -> None:
    """Raise AllpayError if something in a study folder is a link, a pipe or a folder where a file should be.

    The folder itself may be reached by a link, for the user has named it.
    """
    for name in FILES:
        place = folder / name
        if name == LOG and place.is_dir() and not place.is_symlink():
            continue  # then nothing is logged
        check_place(place)
    for name in (BATCHES, BIDS, OUTCOMES, CHECKPOINTS):
        for path in _entries(folder / name):
            check_place(path)


def check_below(folder: Path, name: str) -> None:
    """Raise AllpayError if the folder of a study below another is reached by a link."""
    for part in Path(name).parts:
        folder = folder / part
        check_place(folder, folder=True)


def _opened(path: Path) -> BinaryIO:
    """The open file of a batch.

    Raises:
        AllpayError: if it may not be read, which does not mean that it is damaged.
    """
    try:
        return path.open("rb")
    except PermissionError as error:
        raise AllpayError(
            f"cannot read {path}: {error.strerror}; ask its owner, or copy the folder as its owner"
        ) from None


def digest(table: pl.DataFrame) -> str:
    """A digest of what a table holds, whatever file it is in."""
    content = hashlib.sha256()
    for column in table:
        if column.dtype == pl.Binary:
            held = [value or b"" for value in column.to_list()]
            content.update(f"{column.name} {[len(value) for value in held]} ".encode() + b"".join(held))
            continue
        values = column.to_numpy() if column.dtype.is_numeric() else np.array(column.to_list(), str)
        content.update(f"{column.name} {values.dtype.str} ".encode() + values.tobytes())
    return content.hexdigest()


@contextmanager
def open_store(
    folder: Path | str, specification: dict[str, Any], versions: dict[str, str], designs_per_batch: int = 1
) -> Iterator[Store]:
    """Open a folder for a study, or make it; while it is open no other process can open it.

    Args:
        folder: where it is.
        specification: of the study.
        versions: of what computes now.
        designs_per_batch: how it is parted into batches, if it is new; else it stays as it is.

    Raises:
        AllpayError: if the folder holds something else or another study, is in use, or cannot be written.
    """
    folder = Path(folder)
    check_folder(folder)
    lock: BaseFileLock | None = None
    try:
        if not _is_free(folder) and not holds_study(folder):
            raise AllpayError(f"{folder} exists, is not empty and holds no study: choose another folder")
        (folder / BATCHES).mkdir(parents=True, exist_ok=True)
        lock = _lock(folder)
        lock.acquire(timeout=MOMENT)
    except Timeout:
        gone = f"; if it is gone, delete {lock.lock_file}" if isinstance(lock, SoftFileLock) else ""
        raise AllpayError(
            f"another process is running the study in {folder}: wait for it, or choose another folder{gone}"
        ) from None
    except OSError as error:
        raise AllpayError(f"cannot write to {folder}: {error.strerror or error}; choose another folder") from None
    try:
        for part in (folder, *(folder / name for name in (BATCHES, BIDS, OUTCOMES, CHECKPOINTS))):
            clear(part)
        store = Store(folder, _held(folder, Held(specification, designs_per_batch, versions)))
        store.log(f"opened by process {os.getpid()} on {platform.node()}, {in_words(versions)}")
        try:
            yield store
        except BaseException as error:
            store.log(f"stopped: {str(error) or type(error).__name__}")
            raise
        store.log("closed")
    finally:
        lock.release()


def _lock(folder: Path) -> BaseFileLock:
    """The lock of a folder. The system forgets its locks with the processes that hold them; on a file system that has none,
    a file says who holds it, and is not believed if that process is known to be gone."""
    return FileLock(folder / LOCK) if _has_locks(folder) else SoftFileLock(folder / SOFT_LOCK)


def _has_locks(folder: Path) -> bool:
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows has others
        return True
    try:
        with TemporaryFile(dir=folder) as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:  # of a folder that cannot be written, the lock itself will say it
        return error.errno not in NO_LOCKS
    return True


def _held(folder: Path, asked: Held) -> Held:
    """What a folder holds; it is given what is asked for if it is new, and repaired if one of its two files is not whole."""
    path, copy = _places(folder)
    if _is_free(folder):
        held = asked
    else:
        held = read_folder(folder)
        there, wanted = (without_objective(each.specification) for each in (held, asked))
        if there != wanted:
            raise AllpayError(
                f"{folder} holds another study ({_difference(there, wanted)}): "
                f"choose another folder, or go on with that study: allpay resume {in_shell(folder)}"
            )
        fault = _fault(path, held)
        if fault:
            Store(folder, held).tell(f"{path} {fault}: it has been restored")
    for place in (path, copy):
        if _fault(place, held):
            write(place, lambda file: file.write(held.text().encode()))
    return held


def read_folder(folder: Path) -> Held:
    """What a study folder holds. It is kept twice, and what one file has lost is in the other.

    Raises:
        AllpayError: if the folder holds no study, or both are damaged.
    """
    path, copy = _places(folder)
    check_folder(folder)
    if not path.exists() and not copy.exists():
        if not folder.exists():
            raise AllpayError(f"there is no folder {folder}: `allpay run` and --out make one")
        raise AllpayError(
            f"{folder} holds no study (it has no {SPECIFICATION}): give a folder of allpay design, run, reproduce or simulate"
        )
    try:
        for place in (copy, path):
            held = _read(place)
            if held is not None:
                return held
    except OSError as error:
        raise AllpayError(f"cannot read {place}: {error.strerror}") from None
    raise AllpayError(f"{path} is damaged: remove it with its folder, or choose another folder")


def _places(folder: Path) -> tuple[Path, Path]:
    """The specification for people to read, and its copy."""
    return folder / SPECIFICATION, folder / f".{SPECIFICATION}"


def _read(path: Path) -> Held | None:
    """What a specification file holds; None if there is none, or it is not as it was written."""
    try:
        found = json.loads(read_text(path, MOST_TEXT))
        if isinstance(found, dict) and isinstance(found.get("format"), int) and found["format"] != FORMAT:
            raise AllpayError(f"{path} has format {short(found['format'])}, not {FORMAT}: use the allpay that made it")
        kept = FolderKept.model_validate(found)
        held = Held(kept.specification, kept.designs_per_batch, kept.versions)
        return held if kept.identity in held.identities else None
    except FileNotFoundError:
        return None
    except AllpayError:
        raise
    except (ValueError, RecursionError):
        return None


def _fault(path: Path, held: Held) -> str:
    """What is wrong with a specification file, in words; empty if nothing is."""
    if not path.exists():
        return "is missing"
    try:
        found = json.loads(read_text(path, MOST_TEXT))["specification"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "is damaged"
    if found != held.specification:
        change = _difference(held.specification, found, "it had {}, now {}")
        return f"was changed after the study had begun ({change})"
    return "" if _read(path) == held else "is damaged"


def _is_free(folder: Path) -> bool:
    """Whether a folder is not there, or holds no more than is left by a process that was killed when it began to make it."""
    if not folder.is_dir():
        return True
    left = {LOCK, SOFT_LOCK, LOG, BATCHES}
    parts = [path for path in folder.iterdir() if path.name not in left]
    parts += _entries(folder / BATCHES)
    return all(path.name.startswith(".") and path.name.endswith(UNFINISHED) for path in parts)


def holds_study(folder: Path) -> bool:
    """Whether a folder says of which study it is."""
    return any(path.exists() for path in _places(folder))


def is_whole(folder: Path, held: Held) -> bool:
    """Whether both files that say what a folder holds are as they were written."""
    return not any(_fault(place, held) for place in _places(folder))


def result_is_there(folder: Path) -> bool:
    """Whether the study in a folder has been evaluated."""
    return (folder / RESULT).exists()


def in_use(folder: Path) -> bool:
    """Whether a process is running the study in a folder."""
    if not (folder / LOCK).exists() and not (folder / SOFT_LOCK).exists():
        return False
    for name in (LOCK, SOFT_LOCK):
        check_place(folder / name)
    try:
        with _lock(folder).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # a folder that cannot be written may be another user's, who is running it
        return _is_held(folder / LOCK)


def _is_held(path: Path) -> bool:
    """Whether a process holds a lock of the system on a file that this one may only read."""
    try:
        import fcntl

        with path.open("rb") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (ModuleNotFoundError, OSError):
        return False
    return False


def _difference(held: Any, asked: Any, words: str = "it has {}, this one {}") -> str:
    """The first thing in which two specifications differ, in words."""
    if not (isinstance(held, dict) and isinstance(asked, dict)):
        return words.format(_shortly(held), _shortly(asked))
    for key in {**asked, **held}:
        if held.get(key) != asked.get(key):
            return f"{key}: {_difference(held.get(key), asked.get(key), words)}"
    return "it is the same"


def _shortly(value: Any) -> str:
    """A value of a specification, cut short."""
    text = printable(" ".join(str(value).split()))
    return text if len(text) <= 60 else f"{text[:40]}…{text[-15:]}"

"""The folder that a study is kept in: its specification, one immutable Parquet file for each finished batch, and a log.

A file under its own name is whole: it was written to a temporary name, flushed to the disk and renamed. Every batch says which
study it is of, by what it was computed and what it holds, so that one that is damaged, changed or another study's is noticed.
"""

import errno
import hashlib
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import numpy as np
import polars as pl
from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from allpay.errors import AllpayError
from allpay.files import UNFINISHED, clear, in_shell, write
from allpay.progress import tell
from allpay.versions import in_words

SPECIFICATION = "study.json"
RESULT = "result.json"
SURROGATE = "surrogate.npz"
LOG = "log.txt"
LOCK = ".lock"
SOFT_LOCK = ".lock-by-file"
BATCHES = "batches"
CHECKPOINTS = "checkpoints"

FORMAT = 1
"""Of the folder; another allpay that keeps it otherwise has another."""

MOMENT = 0.3
"""Seconds that `allpay status` may hold the lock to see whether somebody has it."""

NO_LOCKS = {
    getattr(errno, name) for name in ("ENOSYS", "ENOTSUP", "EOPNOTSUPP", "ENOLCK", "EINVAL") if hasattr(errno, name)
}
"""What systems say where a file system has no locks."""

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

    @property
    def identity(self) -> str:
        """A digest of what the batches depend on: batches of two folders can be exchanged if they have the same."""
        text = json.dumps([self.specification, self.designs_per_batch], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def text(self) -> str:
        """The file."""
        return json.dumps({"format": FORMAT, "identity": self.identity, **vars(self)}, indent=2)


@dataclass(frozen=True)
class Store:
    """An open study folder."""

    folder: Path
    held: Held

    def read_batch(self, number: int) -> tuple[pl.DataFrame, dict[str, str]] | None:
        """The table of a finished batch and the versions that computed it; None if there is none, or its file is not whole
        or not of this batch.

        Raises:
            AllpayError: if the file may not be read.
        """
        path = self._batch(number)
        made = _made(path)
        try:
            with _opened(path) as file:
                table = pl.read_parquet(file)
        except (pl.exceptions.PolarsError, OSError):
            return None
        ours = {"study": self.held.identity, "batch": number, "content": digest(table)}
        return (table, made.get("versions", {})) if made == {**made, **ours} else None

    def files(self, batches: int) -> tuple[list[int], list[Path]]:
        """Which of so many batches have a file, whole or not, and the files among theirs that are not of this study."""
        numbers = {self._batch(number): number for number in range(batches)}
        ours, others = [], []
        for path in sorted((self.folder / BATCHES).glob("*.parquet")):
            if path in numbers and _made(path).get("study", self.held.identity) == self.held.identity:
                ours.append(numbers[path])
            else:
                others.append(path)
        return ours, others

    def write_batch(self, number: int, table: pl.DataFrame, versions: dict[str, str]) -> None:
        """Keep the table of a finished batch.

        Raises:
            AllpayError: if it cannot be written.
        """
        made = {"study": self.held.identity, "batch": number, "versions": versions, "content": digest(table)}
        metadata = {_METADATA: json.dumps(made)}
        write(self._batch(number), lambda file: table.write_parquet(file, metadata=metadata))
        self.checkpoint(number).unlink(missing_ok=True)

    def checkpoint(self, number: int) -> Path:
        """The file in which the runs of a batch are kept while they are learned; its folder is there if one may be."""
        return self.folder / CHECKPOINTS / f"batch-{number:05d}.npz"

    def log(self, text: str) -> None:
        """Add a line to the log. A disk that is full is no reason to fail."""
        with suppress(OSError), (self.folder / LOG).open("a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S %z')}  {text}\n")

    def tell(self, text: str) -> None:
        """Add a line to the log, and say it."""
        self.log(text)
        tell(text)

    def _batch(self, number: int) -> Path:
        return self.folder / BATCHES / f"batch-{number:05d}.parquet"


def _made(path: Path) -> dict[str, Any]:
    """What the file of a batch says of itself: `study`, `batch`, `versions`, `content`; nothing if it cannot be read."""
    try:
        with _opened(path) as file:
            return dict(json.loads(pl.read_parquet_metadata(file)[_METADATA]))
    except (pl.exceptions.PolarsError, OSError, ValueError, KeyError, TypeError):
        return {}


def _opened(path: Path) -> BinaryIO:
    """The open file of a batch: given its path, Polars would take brackets and stars in it for a pattern.

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
    lock: BaseFileLock | None = None
    try:
        if not _is_free(folder) and not _holds_study(folder):
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
        for part in (folder, folder / BATCHES, folder / CHECKPOINTS):
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
        if held.specification != asked.specification:
            raise AllpayError(
                f"{folder} holds another study ({_difference(held.specification, asked.specification)}): "
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
    if not path.exists() and not copy.exists():
        raise AllpayError(f"{folder} holds no study (it has no {SPECIFICATION})")
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
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise AllpayError(f"{path} has format {found['format']}, not {FORMAT}: use the allpay that made it")
        held = Held(dict(found["specification"]), int(found["designs_per_batch"]), dict(found["versions"]))
        return held if held.identity == found["identity"] else None
    except FileNotFoundError:
        return None
    except AllpayError:
        raise
    except (ValueError, KeyError, TypeError):
        return None


def _fault(path: Path, held: Held) -> str:
    """What is wrong with a specification file, in words; empty if nothing is."""
    if not path.exists():
        return "is missing"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["specification"]
    except (ValueError, KeyError, TypeError):
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
    parts += (folder / BATCHES).glob("*")
    return all(path.name.startswith(".") and path.name.endswith(UNFINISHED) for path in parts)


def _holds_study(folder: Path) -> bool:
    return any(path.exists() for path in _places(folder))


def result_is_there(folder: Path) -> bool:
    """Whether the study in a folder has been evaluated."""
    return (folder / RESULT).exists()


def in_use(folder: Path) -> bool:
    """Whether a process is running the study in a folder."""
    if not (folder / LOCK).exists() and not (folder / SOFT_LOCK).exists():
        return False
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
        return words.format(held, asked)
    for key in {**asked, **held}:
        if held.get(key) != asked.get(key):
            return f"{key}: {_difference(held.get(key), asked.get(key), words)}"
    return "it is the same"

"""The folder that a study is kept in: its specification, and one immutable Parquet file for each finished batch.

A batch is written to a temporary name, flushed to disk and renamed, so that a file under its own name is whole.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
from filelock import FileLock, Timeout

from allpay.errors import AllpayError

SPECIFICATION = "study.json"
RESULT = "result.json"
LOCK = ".lock"


@dataclass(frozen=True)
class Store:
    """An open study folder."""

    folder: Path

    def read_batch(self, index: int) -> pl.DataFrame | None:
        """The table of a finished batch; None where there is none, or its file is damaged and must be made again."""
        try:
            return pl.read_parquet(self._batch(index))
        except FileNotFoundError:
            return None
        except (pl.exceptions.PolarsError, OSError):
            return None

    def has_batch(self, index: int) -> bool:
        """Whether there is a file of a batch, whole or not."""
        return self._batch(index).exists()

    def write_batch(self, index: int, table: pl.DataFrame) -> None:
        """Keep the table of a finished batch."""
        write(self._batch(index), table.write_parquet)

    def _batch(self, index: int) -> Path:
        return self.folder / "batches" / f"batch-{index:05d}.parquet"


@contextmanager
def open_store(folder: Path | str, specification: dict[str, Any], versions: dict[str, str]) -> Iterator[Store]:
    """Open a folder for a study, or make it; while it is open no other process can open it.

    Raises:
        AllpayError: if the folder holds something else or another study, is in use, or cannot be written.
    """
    folder = Path(folder)
    path = folder / SPECIFICATION
    try:
        if path.exists():
            held = read_folder(folder)["specification"]
            if held != specification:
                raise AllpayError(
                    f"{folder} holds another study ({_difference(held, specification)}): choose another folder"
                )
        elif folder.exists() and any(folder.iterdir()):
            raise AllpayError(f"{folder} exists, is not empty and holds no study: choose another folder")
        else:
            folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"specification": specification, "versions": versions}, indent=2)
            write(path, lambda file: file.write(text.encode()))
        lock = FileLock(folder / LOCK)
        lock.acquire(timeout=0)
    except Timeout:
        raise AllpayError(
            f"another process is running the study in {folder}: wait for it, or choose another folder"
        ) from None
    except OSError as error:
        raise AllpayError(f"cannot write to {folder}: {error.strerror}; choose another folder") from None
    try:
        yield Store(folder)
    finally:
        lock.release()


def read_folder(folder: Path) -> dict[str, Any]:
    """What the specification file of a study folder holds: `specification` and `versions`.

    Raises:
        AllpayError: if the folder holds no study, or its specification is damaged.
    """
    path = folder / SPECIFICATION
    try:
        held = json.loads(path.read_text())
        return {"specification": dict(held["specification"]), "versions": dict(held["versions"])}
    except FileNotFoundError:
        raise AllpayError(f"{folder} holds no study (it has no {SPECIFICATION})") from None
    except OSError as error:
        raise AllpayError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise AllpayError(f"{path} is damaged: remove it with its folder, or choose another folder") from None


def result_is_there(folder: Path) -> bool:
    """Whether the study in a folder has been evaluated."""
    return (folder / RESULT).exists()


def in_use(folder: Path) -> bool:
    """Whether a process is running the study in a folder."""
    lock = FileLock(folder / LOCK)
    try:
        with lock.acquire(timeout=0):
            return False
    except (Timeout, OSError):
        return True


def write(path: Path, fill: Callable[[BinaryIO], Any]) -> None:
    """Write a file so that it is either whole under its name or not there; `fill` is given the open file.

    Raises:
        AllpayError: if the disk is full or the folder cannot be written; nothing is left behind.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise AllpayError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose another folder"
        ) from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _difference(held: Any, asked: Any) -> str:
    """The first thing in which two specifications differ, in words."""
    if not (isinstance(held, dict) and isinstance(asked, dict)):
        return f"it has {held}, this one {asked}"
    for key in {**asked, **held}:
        if held.get(key) != asked.get(key):
            inner = _difference(held.get(key), asked.get(key))
            return f"{key}: {inner}"
    return "it is the same"

"""Files that are whole under their own name or not there at all, whatever happens while they are written."""

import io
import os
import secrets
import shlex
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from allpay.errors import AllpayError

UNFINISHED = ".part"
"""How the names of files end that are being written; they begin with a dot."""

_unfinished: set[Path] = set()
"""What is being written now."""


def write(path: Path, fill: Callable[[BinaryIO], Any]) -> None:
    """Write a file under a temporary name, flush it to the disk, and rename it; `fill` is given the open file.

    Raises:
        AllpayError: if the disk is full or the folder cannot be written; what was there before is still there.
    """
    temporary = path.parent / f".{secrets.token_hex(8)}{UNFINISHED}"
    try:
        # opened as any file is: umask and the folder say who may read it
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        _unfinished.add(temporary)
        with io.BufferedWriter(io.FileIO(descriptor, "w")) as raw:
            file = _File(raw)
            try:
                fill(cast(BinaryIO, file))
            except Exception:
                if file.error is not None:  # whatever a library has made of it
                    raise file.error from None
                raise
            raw.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
        _unfinished.discard(temporary)
    except OSError as error:
        raise AllpayError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose another folder"
        ) from None
    finally:
        if temporary in _unfinished:
            temporary.unlink(missing_ok=True)
            _unfinished.discard(temporary)


def abandon() -> None:
    """Delete what is being written, for the program ends at once."""
    for path in _unfinished.copy():
        with suppress(OSError):
            path.unlink()


def in_shell(path: Path) -> str:
    """A path as it is typed after a command, whatever is in its name."""
    text = str(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def clear(folder: Path) -> None:
    """Delete what a killed process had not finished writing."""
    for path in folder.glob(f".*{UNFINISHED}"):
        path.unlink(missing_ok=True)


class _File(io.BufferedIOBase):
    """A file without a descriptor, so that every library writes through it; it remembers why it could not be written."""

    def __init__(self, file: BinaryIO):
        self.file = file
        self.error: OSError | None = None

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()

    def write(self, data: Any) -> int:
        try:
            return self.file.write(data)
        except OSError as error:
            self.error = error
            raise

"""Files that are whole under their own name or not there at all, whatever happens while they are written."""

import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

from allpay.errors import AllpayError

UNFINISHED = ".part"
"""How the names of files end that are being written; they begin with a dot."""


def write(path: Path, fill: Callable[[BinaryIO], Any]) -> None:
    """Write a file under a temporary name, flush it to the disk, and rename it; `fill` is given the open file.

    Raises:
        AllpayError: if the disk is full or the folder cannot be written; what was there before is still there.
    """
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(UNFINISHED, f".{path.name}.", path.parent)
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
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise AllpayError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose another folder"
        ) from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


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

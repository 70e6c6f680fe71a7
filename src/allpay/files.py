"""Files that are whole under their own name or not there at all, whatever happens while they are written."""

import io
import math
import os
import secrets
import shlex
import stat
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from allpay.errors import AllpayError

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
        remedy = (
            "make that folder first"
            if isinstance(error, FileNotFoundError)
            else "free some space or choose another folder"
        )
        raise AllpayError(f"cannot write {path}: {error.strerror or error}; {remedy}") from None
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
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name.startswith(".") and path.name.endswith(UNFINISHED):
            with suppress(OSError):  # a folder of that name, say
                path.unlink()


def check_place(path: Path, folder: bool = False) -> None:
    """Raise AllpayError if something lies at a path that is no plain file, or no folder where one should be.

    What a folder from somebody else has there may be a link to another place, or a pipe that nobody writes. Nor may a
    file lie elsewhere under another name: what is written here would be written there.
    """
    try:
        found = os.lstat(path)
    except OSError:  # nothing is there, or nothing can be: that is said where it is used
        return
    if folder and stat.S_ISDIR(found.st_mode) and not getattr(os.path, "isjunction", lambda _: False)(path):
        return
    if not folder and stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
        return
    kinds = {
        stat.S_IFLNK: "a link",
        stat.S_IFDIR: "a link" if folder else "a folder",
        stat.S_IFREG: "a file" if folder else "a file that has another name elsewhere (a hard link)",
        stat.S_IFIFO: "a pipe",
    }
    kind = kinds.get(stat.S_IFMT(found.st_mode), "a device")
    raise AllpayError(
        f"{path} must be a {'folder' if folder else 'plain file'}: it is {kind}; move it away, or copy what it has"
    )


def read_text(path: Path, most: int) -> str:
    """The text of a plain file of at most so many bytes.

    Raises:
        FileNotFoundError: if there is none.
        OSError: if it cannot be read.
        AllpayError: if it is no plain file, or larger.
    """
    check_place(path)
    size = path.stat().st_size
    if size > most:
        raise AllpayError(
            f"{path} has {size:,} bytes, more than the {most:,} that it can have: it is no file of allpay"
        )
    return path.read_text(encoding="utf-8")


def load_arrays(path: Path) -> "dict[str, NDArray[Any]]":
    """The arrays of an .npz file, none of which is larger than the file: it may come from somebody else.

    Raises:
        OSError: if it cannot be read.
        ValueError, EOFError, zipfile.BadZipFile: if it is no such file, or says that it holds more than it has.
        AllpayError: if it is a link, a pipe or a folder.
    """
    import numpy as np

    check_place(path)
    with path.open("rb") as file:
        with zipfile.ZipFile(file) as parts:
            for part in parts.infolist():
                if part.compress_type != zipfile.ZIP_STORED or part.file_size > path.stat().st_size:
                    raise ValueError(f"{part.filename} unpacks to more than the file has")
                with parts.open(part) as array:
                    major, _ = np.lib.format.read_magic(array)
                    read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
                    shape, _, kind = read(array)
                    if math.prod(shape) * kind.itemsize > part.file_size:
                        raise ValueError(f"{part.filename} says that it is larger than it is")
        file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)


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

"""A file in which a long computation is kept while it lasts: arrays by name, and of what computation they are.

What computes them, and when a computation can be cut, is the learners' matter.
"""

import hashlib
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from allpay.files import load_arrays, write
from allpay.progress import tell
from allpay.versions import versions

Arrays = dict[str, np.ndarray]

PAUSE = 5.0
"""Seconds between two writings, at least."""

_IDENTITY = "identity"


@dataclass
class Checkpoint:
    """What is kept of one computation, in one file.

    Attributes:
        path: the file; None keeps nothing.
        identity: of the computation, see `identity`.
    """

    path: Path | None
    identity: str
    _written: float = field(default_factory=time.monotonic)

    def save(self, arrays: Callable[[], Arrays]) -> None:
        """Write the arrays, if some time has passed since the last writing.

        Raises:
            AllpayError: if they cannot be written.
        """
        if self.path is None or time.monotonic() < self._written + PAUSE:
            return
        content = {_IDENTITY: np.array(self.identity), **arrays()}
        write(self.path, lambda file: np.savez(file, **content))  # type: ignore[arg-type]
        self._written = time.monotonic()

    def load(self) -> Arrays | None:
        """The arrays written last; None where there are none of this computation, or the file is damaged, which is told."""
        if self.path is None or not self.path.exists():
            return None
        try:
            found = load_arrays(self.path)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, NotImplementedError):
            tell(f"the checkpoint {self.path} is damaged: its runs are begun again")
            return None
        if str(found.pop(_IDENTITY, "")) != self.identity:
            tell(f"the checkpoint {self.path} is of other runs or made by other versions: these are begun again")
            return None
        return found


def identity(*parts: object) -> str:
    """A digest of what a computation depends on: by their words what is no array, the versions of what computes included."""
    digest = hashlib.sha256(repr(versions()).encode())
    for part in parts:
        digest.update(part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return digest.hexdigest()

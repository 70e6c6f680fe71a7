"""Compiled loops: Numba with our settings, and a cache of machine code that no lost, full or read-only disk can break."""

from collections.abc import Callable
from multiprocessing import parent_process
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache, NullCache

from allpay.progress import tell

_told: set[str] = set()


def compiled(function: Callable[..., Any], fastmath: bool | set[str] = False) -> Any:
    """The function, compiled when it is first called; the machine code is kept for the next process where that is possible.

    It releases the interpreter lock, and divides by zero as NumPy does. `fastmath` names what LLVM may take for granted, so
    that it finds the largest of many numbers on vector registers: "nnan" that none is NaN, "nsz" that −0 is as good as 0.
    """
    # no wrapper for callers in C, of whom there are none: it would cost an eighth of the time that compiling takes
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": fastmath, "no_cfunc_wrapper": True}
    made: Any = njit(**options)(function)
    if hasattr(made, "enable_caching"):  # NUMBA_DISABLE_JIT leaves the function as it is
        try:
            made._cache = _Cache(function)
        except (RuntimeError, OSError):  # neither the package's folder nor the user's can be written
            made._cache = _Uncached()
    return made


class _Cache(FunctionCache):
    """Numba's cache, but what cannot be read is compiled again, and what cannot be written is not kept."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # emptied, cut or changed: there is no end to what unpickling makes of that
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            try:
                super().save_overload(sig, data)
            except OSError:
                raise
            except Exception:  # the index is not whole: begin a new one
                self.flush()
                super().save_overload(sig, data)
        except OSError as error:
            _say_once(error.strerror or str(error))


class _Uncached(NullCache):
    def save_overload(self, sig: Any, data: Any) -> None:
        _say_once("neither the package's folder nor yours can be written")


def _say_once(reason: str) -> None:
    """Say that compiled code is not kept. Workers leave that to the process that started them."""
    if not _told and parent_process() is None:
        _told.add(reason)
        tell(
            f"compiled code cannot be kept ({reason}), so that each start takes longer: "
            "set NUMBA_CACHE_DIR to a folder with space that can be written"
        )

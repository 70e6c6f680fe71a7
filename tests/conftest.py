"""Before any test: what is left of older code is deleted, and Ctrl-C reaches the programs that tests start.

What JAX compiles is kept for the session, so that its workers and the programs that they start do not compile it again.
What Python and Numba compile is kept beside the sources, also where the environment tells Python not to keep its own: tests
start some hundred programs, and each would compile every module again.
"""

import os
import re
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "allpay"

WITHOUT_LOOPS = ("test_theory", "test_dqn", "test_ppo", "test_deep_games")
LEARNED = "test_theory_beside.py"

KEPT = "JAX_COMPILATION_CACHE_DIR"
MADE = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    if KEPT not in os.environ:  # the workers of a session inherit it
        config.stash[MADE] = os.environ[KEPT] = tempfile.mkdtemp(prefix="allpay-tests-")
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"
        os.environ["JAX_COMPILATION_CACHE_MAX_SIZE"] = str(2**30)  # of a limited size it is locked while it is written
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    forget_older_machine_code()
    let_children_hear_ctrl_c()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In the middle, where the second of two workers begins, stands what needs next to none of the loops that Numba compiles,
    which the first compiles meanwhile. Else both would compile the same."""
    later = [item for item in items if item.path.name.startswith(WITHOUT_LOOPS) and item.path.name != LEARNED]
    moved = set(later)
    others = [item for item in items if item not in moved]
    half = min(len(items) // 2, len(others))
    items[:] = others[:half] + later + others[half:]


def let_children_hear_ctrl_c() -> None:
    """A shell starts what runs in its background with SIGINT ignored, and children inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def forget_older_machine_code() -> None:
    """Delete compiled functions that are older than the source of one that they call.

    Numba looks only at the file in which a cached function stands, not at the files of the functions that it has inlined.
    """
    compiled = [
        path
        for path in SOURCE.rglob("*.py")
        if re.search(r"^(from|import) numba|^from allpay.compiled import", path.read_text(encoding="utf-8"), re.M)
    ]
    newest = max(path.stat().st_mtime for path in compiled)
    for cached in SOURCE.rglob("*.nb[ci]"):
        if cached.stat().st_mtime < newest:
            cached.unlink(missing_ok=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    if MADE in config.stash:
        shutil.rmtree(config.stash[MADE], ignore_errors=True)

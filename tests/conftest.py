"""Before any test: what is left of older code is deleted, and Ctrl-C reaches the programs that tests start."""

import re
import signal
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src" / "allpay"


def pytest_configure() -> None:
    forget_older_machine_code()
    let_children_hear_ctrl_c()


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
        if {"numba", "compiled"} & set(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    ]
    newest = max(path.stat().st_mtime for path in compiled)
    for cached in SOURCE.rglob("*.nb[ci]"):
        if cached.stat().st_mtime < newest:
            cached.unlink(missing_ok=True)

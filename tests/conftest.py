"""Before any test: compiled functions that are older than the source of one that they call are deleted.

Numba looks only at the file in which a cached function stands, not at the files of the functions that it has inlined.
"""

import re
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src" / "allpay"


def pytest_configure() -> None:
    compiled = [
        path
        for path in SOURCE.rglob("*.py")
        if {"numba", "compiled"} & set(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    ]
    newest = max(path.stat().st_mtime for path in compiled)
    for cached in SOURCE.rglob("*.nb[ci]"):
        if cached.stat().st_mtime < newest:
            cached.unlink(missing_ok=True)

"""What a command writes beside its words: a table into a file, whose ending says how, or all of its answer into a folder."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allpay.cli.console import plain
from allpay.errors import AllpayError, shortened

if TYPE_CHECKING:
    from allpay.scenarios import Comparison
    from allpay.statics import Statics


def check_table(out: Path | None, kinds: Mapping[str, Any]) -> None:
    """Raise AllpayError if a table is to be written in a way that is none of these."""
    if out is not None and out.suffix not in kinds:
        raise AllpayError(f"a table is written as {', '.join(kinds)}: got {shortened(str(out), 80)}")


def _write_csv(swept: "Statics | Comparison", path: Path) -> None:
    from allpay.files import write

    write(path, swept.table.write_csv)


def _write_parquet(swept: "Statics | Comparison", path: Path) -> None:
    from allpay.files import write

    write(path, swept.table.write_parquet)


def _write_tex(swept: "Statics", path: Path) -> None:
    from allpay.files import write
    from allpay.report.statics import statics_in_latex

    write(path, lambda file: file.write(statics_in_latex(swept).encode()))


def _write_json(swept: "Statics | Comparison", path: Path) -> None:
    from allpay.files import write

    write(path, lambda file: file.write(json.dumps(plain(swept.to_json()), indent=2).encode()))


TABLES = {".csv": _write_csv, ".parquet": _write_parquet, ".tex": _write_tex, ".json": _write_json}
"""How a table is written, by the ending of its file."""

COMPARISONS = {".csv": _write_csv, ".parquet": _write_parquet, ".json": _write_json}
"""The same for the table of `compare`."""

JUDGED, SWEPT = "judge.json", "sweep.json"
"""Where a folder has what machines read of a judgement, or of a sweep."""

FILES = {"summary.txt", "table.csv", "figure.png", "figure.pdf"}
"""What else it has."""


def write_answer(out: Path, answer: str, values: Mapping[str, Any], words: str, draw: Callable[[Path], Any]) -> None:
    """Write an answer into a folder: for machines, in words, and as a figure."""
    from allpay.files import write
    from allpay.versions import versions

    out.mkdir(parents=True, exist_ok=True)
    kept = {"versions": versions(), **values}
    write(out / "summary.txt", lambda file: file.write(f"{words}\n".encode()))
    for figure in ("figure.png", "figure.pdf"):
        draw(out / figure)
    write(out / answer, lambda file: file.write(json.dumps(plain(kept), indent=1).encode()))

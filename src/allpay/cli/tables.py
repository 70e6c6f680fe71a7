"""The tables that a command writes into a file, whose ending says how."""

from collections.abc import Mapping
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
    import json

    from allpay.files import write

    write(path, lambda file: file.write(json.dumps(plain(swept.to_json()), indent=2).encode()))


TABLES = {".csv": _write_csv, ".parquet": _write_parquet, ".tex": _write_tex, ".json": _write_json}
"""How a table is written, by the ending of its file."""

COMPARISONS = {".csv": _write_csv, ".parquet": _write_parquet, ".json": _write_json}
"""The same for the table of `compare`."""

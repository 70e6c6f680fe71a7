"""What commands do with scenarios: compare designs in them, by theory or by learning, and say which loses what where."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from allpay.cli.console import plain, print_json, reporting
from allpay.errors import AllpayError

if TYPE_CHECKING:
    from allpay.scenarios import Comparison
    from allpay.study.scenario import ScenarioStudy

FILES = ("summary.txt", "losses.csv", "losses.parquet", "figure.png", "figure.pdf")
"""What a folder gets of a comparison, beside what machines read."""

THEORY = "theory.json"
"""What machines read of a comparison by theory."""


def scenarios_by_theory(asked: "ScenarioStudy", out: Path | None, as_json: bool) -> None:
    """Designs in scenarios by theory, on stdout and, if one is given, in a folder."""
    from allpay.files import write
    from allpay.scenarios import compare

    if (
        out is not None
        and out.exists()
        and (not out.is_dir() or {path.name for path in out.iterdir()} - {*FILES, THEORY})
    ):
        raise AllpayError(f"{out} holds something else: choose a new folder for the answer of theory")
    study = asked.study
    assert study.setting is not None
    with reporting("scenarios") as reporter, reporter.stage("looking for the best designs by theory"):
        found = compare(asked.given, asked.scenarios, study.setting, study.space, study.objective, reporter.advance)
    values, files = plain(found.to_json()), list[str]()
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        files = write_comparison(found, out)
        write(out / THEORY, lambda file: file.write(json.dumps(values, indent=2).encode()))
        files.append(str(out / THEORY))
    tell_comparison(found, values, files, as_json)


def write_comparison(found: "Comparison", out: Path) -> list[str]:
    """A comparison in words, as a table and as a figure, into a folder; the files that were written."""
    from allpay.files import write
    from allpay.report.scenarios import comparison_in_words, draw_comparison

    write(out / "summary.txt", lambda file: file.write(f"{comparison_in_words(found)}\n".encode()))
    write(out / "losses.csv", found.table.write_csv)
    write(out / "losses.parquet", found.table.write_parquet)
    for name in ("figure.png", "figure.pdf"):
        draw_comparison(found, out / name)
    return [str(out / name) for name in FILES]


def tell_comparison(found: "Comparison", values: dict[str, Any], files: list[str], as_json: bool) -> None:
    """A comparison on stdout."""
    from allpay.report.scenarios import comparison_in_words

    if as_json:
        print_json({**values, "files": files})
        return
    typer.echo(comparison_in_words(found))
    if files:
        typer.echo(f"\nWritten to {Path(files[0]).parent}: " + ", ".join(Path(file).name for file in files))


def run_scenarios(
    asked: "ScenarioStudy", out: Path | None, workers: int | None, scheduler: str | None, as_json: bool
) -> None:
    """Designs in scenarios by learning, on stdout and, if one is given, in a folder."""
    raise AllpayError("scenarios are compared by theory: give --method theory")

"""What `--json` and a study's folder get of the results."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allpay.cli.console import plain

if TYPE_CHECKING:
    from polars import DataFrame

    from allpay.pareto import Front
    from allpay.pipeline import Result
    from allpay.study import Study
    from allpay.study.sweep import Sweep

MOST_ROWS_AS_TEXT = 1_000_000
"""Longer tables are not written as .csv beside the .parquet; `allpay export` does it."""

ONLY_KEPT = ("optimum", "specification", "computed")
"""What a folder keeps of a result beside what `--json` gives of it."""


def result_values(result: "Result") -> dict[str, Any]:
    """What `--json` gives of a result."""
    study, best = result.sweep.study, result.optimum
    return {
        "rule": study.space.rule,
        "learner": study.learner.name,
        "objective": study.objective,
        "best": {
            "weights": best.weights,
            "value": best.value,
            "low": best.low,
            "high": best.high,
            "chosen": {chosen.name: chosen.value for chosen in best.chosen},
        },
        "predicted": dict(zip(("value", "low", "high"), best.prediction, strict=True)),
        "interval": best.interval[0] if study.space.line else best.interval,
        "intervals": best.parts[0] if study.space.line else best.parts,
        "chosen": {chosen.name: [chosen.low, chosen.high] for chosen in best.chosen},
        "announced": None
        if result.announced is None
        else {
            "weights": result.announced.weights,
            "mean": result.announced.value.mean,
            "loss": {"mean": result.announced.loss.mean, "stderr": result.announced.loss.stderr},
        },
        "flat": best.flat,
        "unknown": best.unknown,
        "sentence": best.sentence,
        "confidence": best.confidence,
        "resolution": result.resolution,
        "grid": result.grid,
        "learning": result.learning,
        "checked": {"mean": result.checked.mean, "stderr": result.checked.stderr, "rounds": result.checked.rounds},
        "surrogate": {"r2": result.surrogate.r2, "rmse": result.surrogate.rmse},
        "equilibrium": result.exact,
        "equilibrium_best": None if result.exact_best is None else vars(result.exact_best),
        "theory_missing": result.theory_missing,
        "verdicts": result.sweep.verdicts,
        "region": study.space.region,
        "strategy": study.strategy,
        "samples": study.samples,
        "designs": result.sweep.designs,
        "stopped": result.sweep.stopped,
        "rounds": study.rounds,
        "seed": study.seed,
        "seconds": result.seconds,
    }


def kept_values(result: "Result") -> dict[str, Any]:
    """What a folder keeps of a result."""
    return {
        **result_values(result),
        "optimum": {**vars(result.optimum), "chosen": [vars(chosen) for chosen in result.optimum.chosen]},
        "specification": result.sweep.study.specification(),
        "computed": [{"batches": numbers, "versions": made} for numbers, made in result.sweep.computed],
    }


def write_results(results: "list[Result]", out: Path, reporter: Any) -> list[str]:
    """The table of all rounds, the figure, the summary and the values, into a folder; the files that were written."""
    import jax
    import polars as pl

    from allpay.files import write
    from allpay.references import references
    from allpay.report import beside
    from allpay.report.figures import draw_designs
    from allpay.report.tables import by_design
    from allpay.study.store import RESULT
    from allpay.versions import versions

    with reporter.stage("equal weights and one weight, to hold the best design against"):
        told = [[beside.told(one, r.sweep.study.goal) for one in references(r)] for r in results]
    with reporter.stage("writing figure and tables"):
        table = pl.concat(
            [labelled(r.sweep.table, r.sweep.study.space.rule, r.sweep.study.learner.name) for r in results]
        )
        text = summary_of(results)
        values = {
            "versions": {**versions(), "device": jax.devices()[0].device_kind},
            "results": [kept_values(r) for r in results],
        }
        tables = write_rounds(table, [r.sweep.study for r in results], out)
        tables += write_bids([r.sweep for r in results], out)
        write(out / "designs.csv", by_design(results).write_csv)
        write(out / "summary.txt", lambda file: file.write(f"{text}\n".encode()))
        write(out / beside.FILE, lambda file: file.write(json.dumps(plain(beside.kept(told))).encode()))
        figures = draw_designs(results, out / "figure.png")
        # last, for it says that the study is finished
        write(out / RESULT, lambda file: file.write(json.dumps(plain(values), indent=2).encode()))
    return [str(out / name) for name in ("summary.txt", *tables, "designs.csv", beside.FILE, RESULT)] + [
        str(path) for path in figures
    ]


FRONT_FILES = {"front.txt", "front.csv", "front.json", "front.png", "front.pdf"}
"""What a folder gets of a Pareto front."""


def write_front(front: "Front", out: Path) -> list[str]:
    """A Pareto front in words, as a table, for machines and as a figure, into a folder; the files that were written."""
    from allpay.files import write
    from allpay.report.front import draw_front, front_in_words, front_table, front_values

    write(out / "front.txt", lambda file: file.write(f"{front_in_words(front)}\n".encode()))
    write(out / "front.csv", front_table(front).write_csv)
    write(out / "front.json", lambda file: file.write(json.dumps(plain(front_values(front)), indent=2).encode()))
    figures = draw_front(front, out / "front.png")
    return [str(out / name) for name in ("front.txt", "front.csv", "front.json")] + [str(path) for path in figures]


def summary_of(results: "list[Result]") -> str:
    """What one study says in words, or several beside each other, with a table."""
    from allpay.report.summary import summarise, summarise_all
    from allpay.report.tables import as_text
    from allpay.report.words import collecting

    if collecting() and len(results) == 1:
        as_text(results)  # a table that is not told beside the sentences of one study
    return summarise(results[0]) if len(results) == 1 else f"{summarise_all(results)}\n\n{as_text(results)}"


def write_rounds(table: "DataFrame", studies: "list[Study]", out: Path) -> list[str]:
    """The rows of all rounds, into a folder; the names of the files."""
    from allpay.files import write

    rounds = without_empty(table, max(study.space.dimension for study in studies))
    write(out / "rounds.parquet", rounds.write_parquet)
    if rounds.height > MOST_ROWS_AS_TEXT:
        return ["rounds.parquet"]
    write(out / "rounds.csv", rounds.write_csv)
    return ["rounds.parquet", "rounds.csv"]


def write_bids(sweeps: "list[Sweep]", out: Path) -> list[str]:
    """What was bid in all rounds, into a folder; the names of the files."""
    import polars as pl

    from allpay.files import write

    several = len(sweeps) > 1
    bids = pl.concat(
        [labelled(s.bids, s.study.space.rule, s.study.learner.name) if several else s.bids for s in sweeps]
    )
    write(out / "bids.parquet", bids.write_parquet)
    if bids.height > MOST_ROWS_AS_TEXT:
        return ["bids.parquet"]
    write(out / "bids.csv", bids.write_csv)
    return ["bids.parquet", "bids.csv"]


def without_empty(table: "DataFrame", ranks: int) -> "DataFrame":
    """The rows of studies, without the weights of ranks that carry none in any of them: of all after so many, which may carry
    none, and of a long row of others at the end."""
    from allpay.simplex import FEW_ZEROS

    weights = [name for name in table.columns if name[0] == "w" and name[1:].isdigit()]
    carrying = max((int(name[1:]) for name in weights if (table[name] != 0).any()), default=1)
    last = carrying if ranks - carrying > FEW_ZEROS else ranks
    return table.drop([name for name in weights if int(name[1:]) > last])


NOT_PRINTED = ("realised_revenue", "realised_highest_bid", "payoff", "exploitability", "iterations", "seed")
"""Columns of rounds that a printed table does without."""


def for_paper(table: "DataFrame") -> "DataFrame":
    """The rows of studies, without what a page has no room for: what is the same in all of several studies, ranks that carry
    nothing, and details of how it was computed. Experiments and scenarios are numbers."""
    import polars as pl

    numbered = [name for name in ("experiment", "scenario") if name in table.columns]
    table = table.with_columns(pl.col(name).str.strip_prefix(f"{name}-") for name in numbered)
    same = [name for name in ("rule", "learner") if name in table.columns and table[name].n_unique() == 1]
    weights = [name for name in table.columns if name[0] == "w" and name[1:].isdigit()]
    empty = [name for name in weights[1:] if not (table[name] != 0).any()]
    return table.drop([*same, *empty, *(name for name in NOT_PRINTED if name in table.columns)]).rename(
        {"relative_exploitability": "could_gain"}, strict=False
    )


def labelled(table: "DataFrame", rule: str, learner: str) -> "DataFrame":
    """The rows of a study, with its rule and its learner."""
    import polars as pl

    return table.select(pl.lit(rule).alias("rule"), pl.lit(learner).alias("learner"), pl.all())

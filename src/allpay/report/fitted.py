"""Models of behaviour fitted to past contests, in words and as tables."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from allpay.estimate.behaviour import AS_GOOD, MODELS
from allpay.estimate.fit import FittedModels
from allpay.report.words import keep_table, plainly
from allpay.scalars import numeral

KEPT = (
    "This folder keeps how many bids there were, their means by kind of contest, and the fits; no single bid, no name."
)

FILES = ("fit.json", "models.csv", "summary.txt")
"""What a folder gets of a fit."""


def fitted_in_words(found: FittedModels) -> str:
    """Theory beside bids, and the models, the best first."""
    told = [_theory(found)]
    if found.fits:
        told += [_table(found), *_ends(found), _best(found)]
        if found.left_out:
            told.append(
                f"Models are fitted to the most frequent kinds of contests; {found.left_out} more are left out."
            )
    return "\n\n".join(told)


def _theory(found: FittedModels) -> str:
    """Bids beside the equilibrium at the values that are known, kind by kind."""
    lines = []
    for kind in found.kinds[:10]:
        where = f"{kind.bidders} bidders, prizes {', '.join(numeral(round(p, 3)) for p in kind.prizes[:4])}"
        where += ", …" if len(kind.prizes) > 4 else ""
        mean = f"the mean of {kind.bids:,} bids is {plainly(kind.observed, 4)}"
        if kind.theory is None:
            lines.append(f"{where}: {mean}; theory has no formula.")
            continue
        beyond = kind.observed / kind.theory - 1 if kind.theory > 0 else np.inf
        side = "above" if beyond > 0 else "below"
        error = f", {abs(kind.observed - kind.theory) / kind.error:.1f} standard errors" if kind.error > 0 else ""
        lines.append(f"{where}: {mean}, {abs(beyond):.1%} {side} the {plainly(kind.theory, 4)} of equilibrium{error}.")
    cost = "a bid costs its own amount" if found.cost_power == 1 else f"a bid b costs b^{numeral(found.cost_power)}"
    asked = f"Do bids answer to prizes as theory says, at the values that are known, if {cost} (--cost-power)?"
    return f"{asked}\n" + "\n".join(lines)


def _rows(found: FittedModels) -> list[list[str]]:
    """A head, and a row for each model."""
    best = found.fits[0]
    rows = [["model", "held out, per bid", "beside the best", "log likelihood", "parameters"]]
    for fit in found.fits:
        held = fit.held_out / found.bids
        apart = f"{held - best.held_out / found.bids:+.4f}" if fit is not best else ""
        numbers = ", ".join(
            f"{name} {plainly(value)}" + (f" ± {plainly(fit.errors[name], 2)}" if np.isfinite(fit.errors[name]) else "")
            for name, value in fit.parameters.items()
        )
        told = f"{held:.4f}" if np.isfinite(held) else "–"
        rows.append([fit.model, told, apart, f"{fit.loglikelihood:.1f}", numbers])
    return rows


def _caption(found: FittedModels) -> str:
    return f"Models of behaviour by {found.bids:,} bids, the best by contests left out first."


def _table(found: FittedModels) -> str:
    rows = _rows(found)
    keep_table(rows, _caption(found))
    wide = [max(len(row[k]) for row in rows) for k in range(4)]
    return "\n".join(
        "  ".join([row[0].ljust(wide[0]), *(row[k].rjust(wide[k]) for k in (1, 2, 3)), row[4]]).rstrip() for row in rows
    )


def _ends(found: FittedModels) -> list[str]:
    """The parameters that lie at an end of where they were sought."""
    at = [
        f"{name} of {fit.model} ({end}, {plainly(fit.parameters[name])})"
        for fit in found.fits
        for name, end in fit.at_bounds.items()
    ]
    if not at:
        return []
    return [
        f"At an end of the range in which it was sought: {', '.join(at)}. There that part of a model adds nothing, "
        "or bids ask for more of it than was tried; standard errors mean nothing."
    ]


def _best(found: FittedModels) -> str:
    best, *others = found.fits
    if found.exact:
        return (
            f"None is best. These bids scatter less than the least noise that models are tried with "
            f"({plainly(best.parameters['noise'])}), as bids do that were computed: people err more. So the models' numbers "
            "only sharpen that noise, and say nothing of how bidders bid; the bids beside equilibrium, above, do."
        )
    words = f"{best.model} ({MODELS[best.model].words})"
    text = f"Best by contests left out, in {found.folds} parts: {words}." if others else f"Only one was tried: {words}."
    if others and np.isfinite(best.held_out):
        equal = [fit.model for fit in others if abs(best.held_out - fit.held_out) < AS_GOOD]
        gain, sure = best.held_out - others[0].held_out, "far ahead"
        if equal:
            text += f" As good, with more numbers that add nothing: {', '.join(equal)}."
        else:
            sure = sure if gain > 5 else "ahead by little: these contests hardly tell the two apart"
            text += f" It is {gain:.1f} in log likelihood before {others[0].model}, {sure}."
    return (
        f"{text} Parameters are in the money of bids, with standard errors of the likelihood. Assumed: bids up to "
        f"{plainly(found.highest, 4)}, cost b^{numeral(found.cost_power)}, all of one kind."
    )


def fitted_values(found: FittedModels) -> dict[str, Any]:
    """All of it as plain values, NaN as None."""

    def plain(x: float | None) -> float | None:
        return None if x is None or not np.isfinite(x) else float(x)

    models = [
        {
            "model": fit.model,
            "held_out": plain(fit.held_out),
            "loglikelihood": plain(fit.loglikelihood),
            "parameters": {name: plain(x) for name, x in fit.parameters.items()},
            "errors": {name: plain(x) for name, x in fit.errors.items()},
            "at_bounds": dict(fit.at_bounds),
        }
        for fit in found.fits
    ]
    names = ("bidders", "contests", "bids", "observed")
    kinds = [
        {
            **{name: getattr(kind, name) for name in names},
            "prizes": list(kind.prizes),
            "theory": plain(kind.theory),
            "error": plain(kind.error),
        }
        for kind in found.kinds
    ]
    told = {
        "theory": _theory(found).splitlines(),
        "best": _best(found) if found.fits else "",
        "notes": _ends(found),
        "table": {"caption": _caption(found), "rows": _rows(found)} if found.fits else None,
    }
    same = ("left_out", "folds", "bids", "highest", "values", "cost_power")
    return {
        "models": models,
        "exact": found.exact,
        "kinds": kinds,
        "told": told,
        **{name: getattr(found, name) for name in same},
    }


def write_fitted(found: FittedModels, folder: Path) -> list[str]:
    """Write a fit into a folder; the names of the files."""
    from allpay.files import write

    rows = ["model,parameter,value,error,loglikelihood,held_out"]
    for fit in found.fits:
        for name, value in fit.parameters.items():
            numbers = (value, fit.errors[name], fit.loglikelihood, fit.held_out)
            rows.append(",".join([fit.model, name, *("" if not np.isfinite(x) else repr(float(x)) for x in numbers)]))
    texts = (
        json.dumps(fitted_values(found), indent=1),
        "\n".join(rows) + "\n",
        f"{fitted_in_words(found)}\n\n{KEPT}\n",
    )
    for name, text in zip(FILES, texts, strict=True):
        write(folder / name, lambda file, text=text: file.write(text.encode()))  # type: ignore[misc]
    return list(FILES)

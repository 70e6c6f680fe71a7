"""Strange input made from what is declared: for every option of the command line, and every key of a study file."""

import random
import re

from allpay.errors import LONGEST

NUMBERS = (
    *("-1", "0", "1", "2", "3", "7", "-0.0", "0.5", "1.5", "1e-320", "1e-9", "1e9", "1e30", "1e308", "-1e308", "1e400"),
    *("nan", "inf", "-inf", "10000000000", "100000000000000000000", "9" * 400, "9" * 5000),
)
TEXTS = (
    *("", " ", "x", "None", "true", "0x10", "1,5", "½", "é" * 3, "a" * 5000, "line\nbreak"),
    *("\x1b[31mred", "tab\there", "\u202e"),
    *(
        "prizes",
        "payments",
        "common",
        "private",
        "grid",
        "sobol",
        "active",
        "theory",
        "continuous",
        "reserve",
        "ppoo",
        "a:b",
    ),
    *(
        "uniform(0)",
        "uniform(1,0)",
        "beta(-1,2)",
        "steps(0,0,3)",
        "integers(0,1e30)",
        "lognormal(0,1e-300,1)",
        "power(1e308)",
    ),
    *("power(1e-300)", "uniform(" + "1," * 3000 + "1)", "beta(nan,1)", "0.5,0.3,0.2", "1.2,-0.2", "0.8", "," * 2000),
)
"""Values that somebody might give, most of them wrong; a value of the right kind among wrong ones must do as well."""


def values(seed: int):
    """An endless stream of values."""
    rng = random.Random(seed)
    while True:
        yield rng.choice(NUMBERS if rng.random() < 0.6 else TEXTS)


def fault_of(line: str, most: int = LONGEST) -> str:
    """What is wrong with what a user is told; empty if nothing is."""
    told = line.rstrip("\n")
    if not told.startswith("allpay: "):
        return "it does not say who speaks"
    if "\n" in told or len(told) > most:
        return "it is not one line of at most 300 characters"
    if any(not c.isprintable() for c in told):
        return "it has characters that move the cursor"
    if "Traceback" in told or re.search(r"\b(RuntimeError|ValueError|TypeError|OverflowError)\b", told):
        return "it speaks of the program's inside"
    return ""

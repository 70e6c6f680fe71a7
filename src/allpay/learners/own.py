"""Learners of others, named as `package.module:Class` on the command line, in study files and in study folders."""

import dataclasses
from inspect import isclass
from operator import attrgetter
from typing import Any, get_args, get_type_hints

from allpay.errors import AllpayError, one_of, short
from allpay.named import SEPARATOR, in_one_line, module_named

__all__ = ["SEPARATOR", "check_kinds", "check_plain", "in_one_line", "own_kind", "own_name"]

PLAIN = (str, int, float, bool, type(None))
"""The types of hyperparameters that can be written down in a study folder, and tuples of them."""

IN_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
"""What a hyperparameter of a type must be."""


def own_kind(name: str) -> Any:
    """The class that `package.module:Class` names. Modules are looked for in the current folder too, as `python -m` does.

    Raises:
        AllpayError: if there is no such module, it cannot be imported, has no such class, or that is no dataclass.
    """
    module, _, attribute = name.partition(SEPARATOR)
    if not (module and attribute):
        raise AllpayError(
            f"a learner of your own is named by module and class: got {name!r}; give package.module:Class"
        )
    found = module_named(module)
    try:
        kind = attrgetter(attribute)(found)
    except AttributeError:
        learners = [key for key, value in vars(found).items() if isclass(value) and hasattr(value, "learn")]
        if not learners:
            raise AllpayError(f"{module} has no {attribute!r}, nor any other class with a method learn") from None
        one_of(f"learner in {module}:", attribute, learners)
        raise
    if not isclass(kind):
        raise AllpayError(f"{name} must be a class: got {kind!r}; name the class of a learner")
    if not dataclasses.is_dataclass(kind):
        raise AllpayError(
            f"{name} must be a dataclass, whose fields are its hyperparameters: put @dataclass(frozen=True) above it"
        )
    return kind


def own_name(kind: type) -> str:
    """`package.module:Class`, the name by which `own_kind` finds a class again."""
    return f"{kind.__module__}{SEPARATOR}{kind.__qualname__}"


def check_plain(name: str, hyperparameters: dict[str, Any]) -> None:
    """Raise AllpayError unless a study folder can keep these hyperparameters and give them back."""
    for key, value in hyperparameters.items():
        for part in value if isinstance(value, tuple) else (value,):
            if not isinstance(part, PLAIN):
                raise AllpayError(f"{key} of {name} must be a number, a text or a list of them: got {short(value)}")


def check_kinds(kind: Any, name: str, hyperparameters: dict[str, Any]) -> None:
    """Raise AllpayError unless these are of the kinds that the class's annotations say, where they say numbers or texts."""
    try:
        hints = get_type_hints(kind)
    except Exception:  # somebody else's annotations
        return
    for key, value in hyperparameters.items():
        kinds = set(get_args(hints[key]) or (hints[key],)) - {type(None)}
        fits = type(value) in kinds or (float in kinds and type(value) is int)
        if kinds <= IN_WORDS.keys() and not fits:
            must = " or ".join(words for kind, words in IN_WORDS.items() if kind in kinds)
            raise AllpayError(f"{key} of {name} must be {must}: got {short(value)}")

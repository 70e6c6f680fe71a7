"""Code of somebody else's by name: modules are looked for in the current folder too, as `python -m` does."""

import os
import sys
from importlib import import_module
from types import ModuleType

from allpay.errors import AllpayError

SEPARATOR = ":"
"""What stands between a module and what is named in it; the names of allpay's own things do not have it."""


def module_named(module: str) -> ModuleType:
    """The module of that name, imported.

    Raises:
        AllpayError: if there is none, or it cannot be imported.
    """
    here = os.getcwd()
    if here not in sys.path and not sys.flags.safe_path:
        sys.path.insert(0, here)  # it stays: spawned workers take over the path, and look there too
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise AllpayError(f"{module} cannot be imported: {in_one_line(error)}") from error
        raise AllpayError(
            f"there is no module {module!r}: neither in {here} nor on the Python path, where learners, distributions and "
            "objectives of your own are looked for; start in the folder that holds it"
        ) from None
    except (Exception, SystemExit) as error:
        raise AllpayError(f"{module} cannot be imported: {in_one_line(error)}") from error


def in_one_line(error: BaseException) -> str:
    """An exception that somebody else's code raised, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"

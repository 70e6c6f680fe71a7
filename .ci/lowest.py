"""Print the lowest versions that pyproject.toml allows, as a file of constraints for pip."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
extras = project["optional-dependencies"].values()
for line in [*project["dependencies"], *(line for extra in extras for line in extra)]:
    required = Requirement(line)
    for bound in required.specifier:
        if bound.operator == ">=":
            print(f"{required.name}=={bound.version}")

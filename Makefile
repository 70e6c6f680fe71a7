# Two commands do everything on a machine with Python ≥ 3.11: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test setup lint lowest pages site wheel check clean

demo: setup  ## run the main experiment; leaves figure, table and summary in the folder demo
	$(BIN)/allpay reproduce --out demo

test: setup  ## run all tests
	$(BIN)/python -m pytest -n auto --dist worksteal

setup: .venv/ready

# what pip would compile on one core is compiled on all
.venv/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "allpay needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --no-compile --editable . --group dev
	-$(BIN)/python -m compileall -qq -j 0 .venv
	@touch .venv/ready

pages: setup  ## run every block of README.md and docs, slow ones too
	$(BIN)/python .ci/run_docs.py

site: .venv/site  ## the documentation as a site, in the folder site; warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

.venv/site: .venv/ready
	$(BIN)/python -m pip install --quiet --group site
	@touch .venv/site

lint: setup  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lowest: .venv-lowest/ready  ## a part of the tests with the oldest libraries that pyproject.toml allows
	.venv-lowest/bin/python -m pytest -n auto tests/test_imports.py .ci/test_lowest.py

.venv-lowest/ready: pyproject.toml .ci/lowest.py
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --upgrade "pip>=25.1" packaging
	.venv-lowest/bin/python .ci/lowest.py > .venv-lowest/constraints.txt
	.venv-lowest/bin/python -m pip install --quiet --no-compile --constraint .venv-lowest/constraints.txt --editable ".[agents,cluster,optuna]" pytest pytest-xdist hypothesis
	@touch .venv-lowest/ready

wheel:  ## build the wheel, and try it in an empty environment
	PYTHON=$(PYTHON) .ci/wheel

check: lint test

clean:
	rm -rf .venv .venv-lowest site dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis

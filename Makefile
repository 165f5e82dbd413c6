# Two commands do everything: `make demo` and `make test`. Needs only Python 3.11+ and make.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Tests wait about as much as they compute: five at a time even on two cores.
JOBS   ?= $(shell $(PYTHON) -c 'import os; print(max(5, os.cpu_count() or 1))')
# Seconds after which a test that hangs is ended and named; the slowest takes a tenth of it.
ENDS   ?= 600
# Hundreds of processes of the tests import the program: it is compiled once, whatever the shell says.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-full lint bench docs lock clean

demo: $(VENV)/.installed-base
	$(BIN)/arb demo

test: $(VENV)/.installed-dev lint
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --timeout $(ENDS) -m "not full"

test-full: $(VENV)/.installed-dev lint
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed-dev
	for file in benchmarks/bench_*.py; do $(BIN)/python $$file || exit 1; done

# Rewrites the tables of the documents that follow from the source.
docs: $(VENV)/.installed-dev
	$(BIN)/python -m tests.house.tables

# The one command that writes the locks: hashes for every file, for every supported Python, no index address.
lock: | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" --group build pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" --constraint requirements.lock --group build --group dev \
	  pyproject.toml --output-file requirements-dev.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" --constraint requirements-dev.lock --group build --all-extras \
	  pyproject.toml --output-file requirements-services.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; say which: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-base: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing the locked dependencies into $(VENV): about a minute."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed-base
	@echo "Installing the tests' dependencies into $(VENV): another minute."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

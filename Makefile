# lab    the environment from nothing, then JupyterLab in your own folder, my-course/
# test   the environment from nothing, then every test
# build  exercises/ and solutions/ anew from course/
# bench  a table of speed ratios, measured in one run

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --constraint constraints.txt --editable
# Two at a time. What one file's tests compile is used by all of them: a file goes to one process.
TWO := --numprocesses=2 --dist=loadfile

.PHONY: lab test build bench
.DELETE_ON_ERROR:

lab: .venv/lab.done
	$(BIN)/python -m latentsteps lab

test: .venv/test.done
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest $(TWO) --ignore=tests/browser --ignore=tests/test_notebooks.py
	$(BIN)/python -m pytest --numprocesses=2 --dist=worksteal tests/test_notebooks.py
	LATENTSTEPS_QUIET=1 $(BIN)/python -m pytest $(TWO) --nbval --nbval-current-env --nbval-cell-timeout=300 solutions
	$(BIN)/python -m pytest $(TWO) tests/browser

build: .venv/lab.done
	$(BIN)/python -m latentsteps build

bench: .venv/bench.done
	$(BIN)/python tests/bench/run.py

.venv/lab.done: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Latent Steps needs Python 3.11 or newer; $(PYTHON) is " + sys.version.split()[0] + ". Name another one: make lab PYTHON=python3.11")'
	@echo "Installing into .venv: about 2 GB, a few minutes. The next call starts in seconds."
	$(PYTHON) -m venv .venv
	$(INSTALL) .
	@touch $@

.venv/test.done: .venv/lab.done
	$(INSTALL) '.[test]'
	@touch $@

.venv/bench.done: .venv/lab.done
	$(INSTALL) '.[bench]'
	@touch $@

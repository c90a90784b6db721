# Two commands do everything on a machine with git, make and Python:
#
#   make search     search networks for keyword spotting, to the end (ARGS="--budget 500" adds options)
#   make test       run the whole test suite                          (ARGS="tests/simulator" selects)
#
# Both set up a virtual environment with the locked versions first, if there is none for this lock.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=

BIN := $(VENV)/bin
READY := $(VENV)/ready
OLDEST_PYTHON := 3, 11

.PHONY: help search test check setup clean

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | sed '/^Both/q'

search: $(READY)
	$(BIN)/analognas search --task kws $(ARGS)

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile $(ARGS)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

setup: $(READY)

clean:
	rm -rf $(VENV) build dist analognas.egg-info

$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { \
	  echo "There is no '$(PYTHON)'. Install Python >= 3.11 or name it: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < ($(OLDEST_PYTHON)))' || { \
	  echo "analognas needs Python >= 3.11, but $(PYTHON) is $$($(PYTHON) -V). Name another one: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
	  echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $(READY)

# What people and CI run. Everything that is installed lies in .venv, all state in var/.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PYTEST := $(BIN)/pytest
WORKERS ?= 3

.DEFAULT_GOAL := help
.PHONY: help install demo test test-faults bench lint format clean

help: ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(INSTALLED) ## the environment .venv, with pinned and hashed requirements

$(INSTALLED): requirements/dev.txt pyproject.toml
	@echo "installing into $(VENV): 0.8 GB, one to four minutes"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: install ## release real versions of a real service under load (KEEP=1 leaves it up)
	$(BIN)/python -m gp_pipelines_tests.demo $(if $(KEEP),--keep)

test: install ## everything but the kill and property tests
	$(PYTEST) -n $(WORKERS) --dist loadgroup --ignore gp_pipelines_tests/faults

test-faults: install ## kills in the middle, and the state machine of the traffic record
	$(PYTEST) -n 2 --dist loadgroup gp_pipelines_tests/faults

bench: install ## the figures (AREA=release for one area)
	$(BIN)/python -m gp_pipelines_tests.bench $(if $(AREA),--area $(AREA))

lint: install ## format, rules, types, and which way the arrows point
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install ## what ruff can put right by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## stop what runs here, remove the environment and all state
	-test -x $(BIN)/gp && $(BIN)/gp down --purge
	rm -rf $(VENV) var

# Everything runs in an own virtual environment, .venv; `make` alone lists what there is.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
unexport PYTHONDONTWRITEBYTECODE
export DO_NOT_TRACK := true
export DAGSTER_DISABLE_TELEMETRY := true

.DEFAULT_GOAL := help
.PHONY: help setup demo ui test check bench chaos study format lock schema clean

help: ## List the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## Make the virtual environment and install everything (about two minutes, once)

$(STAMP): requirements.lock pyproject.toml
	@echo "==> Setting up .venv (once; about 200 packages)"
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v >= (3, 11) else f"Python 3.11 or newer is needed, this is {v[0]}.{v[1]}: make PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(STAMP)

demo: setup ## Keep a model right through the flights of 2013 (about fifteen minutes)
	@$(BIN)/feedback-assets demo

ui: setup ## Open the Dagster UI, its daemon and the reports on loopback
	@$(BIN)/feedback-assets ui

test: setup ## Run the tests
	@$(BIN)/python -m pytest -n 2 -q

check: setup ## Format, lint, types, layers, definitions
	@echo "==> ruff format" && $(BIN)/ruff format --check .
	@echo "==> ruff lint" && $(BIN)/ruff check .
	@echo "==> mypy" && $(BIN)/mypy
	@echo "==> import-linter" && $(BIN)/lint-imports --no-cache | tail -n 8
	@echo "==> definitions and configs" && $(BIN)/feedback-assets check

bench: setup ## Measure the figures that the README quotes; writes var/bench/*.json
	@$(BIN)/python -m benchmarks

chaos: setup ## The long crash and concurrency tests
	@$(BIN)/python -m pytest -q -m chaos feedback_assets_tests

study: setup ## The simulations that the verdicts must pass (some minutes)
	@$(BIN)/python -m pytest -q -m study feedback_assets_tests

format: setup ## Format and fix what can be fixed
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

schema: setup ## Write configs/schema/loop.schema.json again
	@$(BIN)/feedback-assets schema

lock: setup ## Resolve the dependencies again
	@$(BIN)/uv pip compile pyproject.toml --universal --extra demo --extra postgres --extra dev --python-version 3.11 \
		--no-emit-index-url --no-annotate --custom-compile-command "make lock" -q -o requirements.lock

clean: ## Remove all state (var/), keep the environment
	@rm -rf var

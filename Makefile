PYTHON ?= python3
BIN := .venv/bin

.PHONY: help install demo test check bench chaos run migrate format

help:          ## what can be made
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Threadesk needs Python 3.11 or newer; set PYTHON=…" if sys.version_info < (3, 11) else 0)'
	@echo "Building .venv: this takes a minute, once."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

install: .venv/installed   ## build .venv from constraints.txt

demo: .venv/installed      ## a support case, played by a sandbox workspace against the real bot
	@$(BIN)/python -m bot demo

test: .venv/installed      ## the whole suite: real PostgreSQL, real HTTP
	@$(BIN)/python -m pytest $(ARGS)

check: .venv/installed     ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/installed     ## measured ratios, a table and bench.json
	@$(BIN)/python -m tests.bench

chaos: .venv/installed     ## the fault campaign in full: kills, outages, bad weather; a table and chaos.json
	@$(BIN)/python -m tests.chaos $(ARGS)

run: .venv/installed       ## the desk itself: settings from the environment or .env
	@$(BIN)/python -m bot run

migrate: .venv/installed   ## bring the database's tables up to date
	@$(BIN)/python -m bot migrate

format: .venv/installed    ## let ruff lay out the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

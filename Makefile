# One command per chore: make setup | run | serve | web | test | test-web | test-browser | check | lint | types | bench | docs | clean
# `make setup TORCH=2.14.1` installs another torch than the one in constraints.txt.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
TORCH ?=
JOBS ?= auto
WORKFLOW ?= workflows/text_to_image.json

NPM ?= npm
EDITOR := graphgen/server/static/index.html

SOURCES := graphgen nodes tests benchmarks training

.PHONY: help setup run serve web test test-web test-editor test-api test-browser check lint types imports format bench docs clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

setup: $(VENV)/.installed ## Install graphgen into .venv

run: $(VENV)/.installed ## Make a picture from words on the embedded model
	@$(BIN)/graphgen run $(WORKFLOW)

serve: $(VENV)/.installed $(EDITOR) ## Serve graphgen to the browser and to programs
	@$(BIN)/graphgen serve $(ARGS)

test: $(VENV)/.testing ## Run all tests
	$(BIN)/python -m pytest --numprocesses=$(JOBS) --dist=worksteal $(ARGS)

web: $(EDITOR) ## Build the editor into graphgen/server/static

test-web: test-editor test-api ## Check the editor's source and run its unit tests

test-editor: web/node_modules/.installed # without Python
	cd web && npx tsc --noEmit && npx eslint . && npx prettier --check . && npx vitest run

test-api: web/node_modules/.installed $(VENV)/.installed # what the editor knows of the server is what the server says
	cd web && PYTHON="$(abspath $(BIN)/python)" scripts/api.sh --check

test-browser: $(VENV)/.testing $(EDITOR) ## Try the editor in a real browser (Debian: apt-get install chromium)
	cd web && PYTHON="$(abspath $(BIN)/python)" npx playwright test $(ARGS)

check: lint types imports ## Look for mistakes without running anything

lint: $(VENV)/.linting ## Check style and names
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

types: $(VENV)/.linting ## Check types
	$(BIN)/mypy graphgen nodes/graphgen_nodes tests benchmarks training

imports: $(VENV)/.linting ## Check that imports point down
	$(BIN)/lint-imports

format: $(VENV)/.linting ## Put all code into the house's style
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

bench: $(VENV)/.testing ## Measure, print a table, write benchmarks/results/*.json
	$(BIN)/python -m benchmarks

docs: $(VENV)/.installed ## Write the generated pages of docs/
	$(BIN)/python docs/generate.py

clean: ## Remove what these commands made (never your models, pictures or cache)
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis benchmarks/results

web/node_modules/.installed: web/package-lock.json
	@command -v $(NPM) >/dev/null || \
		{ echo "The editor is built with Node.js 20 or newer, and npm is not there; on Debian: apt-get install npm"; exit 2; }
	cd web && $(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

$(EDITOR): web/node_modules/.installed web/index.html web/vite.config.ts $(shell find web/src web/public -type f)
	cd web && $(NPM) run --silent bundle
	@touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "graphgen needs Python 3.11 or newer; name one with: make setup PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade "pip>=25.1"

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
ifeq ($(TORCH),)
	$(PIP) install --quiet --constraint constraints.txt --editable .
else
	grep -v '^torch' constraints.txt > $(VENV)/constraints.txt
	$(PIP) install --quiet --constraint $(VENV)/constraints.txt "torch==$(TORCH)" --editable .
endif
	@touch $@

$(VENV)/.testing: $(VENV)/.installed
	$(PIP) install --quiet --constraint constraints.txt --group test
	@touch $@

$(VENV)/.linting: $(VENV)/.testing
	$(PIP) install --quiet --group lint
	@touch $@

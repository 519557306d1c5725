SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := python -m pip --disable-pip-version-check
UV := $(shell command -v uv)
INSTALL := $(if $(UV),$(UV) pip install --python $(BIN)/python,$(BIN)/$(PIP) install --no-compile)
COMPILE = $(or $(UV),$(BIN)/uv) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

.DEFAULT_GOAL := help
.PHONY: help setup check test newer stats crash soak fuzz mutants images wheels format run demo migrate failover bench lock vendor pages

help: ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 10

setup: $(READY) ## make the virtual environment with everything that the project needs

# Again only when the pins or the project change; every other target depends on it.
$(READY): requirements.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed; name it if it has another name: make PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
		rm -rf $(VENV); echo "Python's venv module is needed (on Debian: apt-get install python3-venv)" >&2; exit 1; }
	$(INSTALL) -r requirements-dev.txt
	$(INSTALL) --no-deps -e .
	@# uv leaves it to the first start, and pip would do it on one core.
	$(if $(UV),,$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib)
	@touch $@

check: $(READY) ## lint, format, types and generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/rps dashboard --check

test: check ## the whole gate: check, then every test
	$(BIN)/pytest

newer: $(READY) ## the tests on another Python (VENV=... PYTHON=...), without browser and PostgreSQL
	$(BIN)/pytest -m "not stats and not images and not browser and not postgresql"

stats: $(READY) ## the long simulations: rules against their reference tables
	$(BIN)/pytest -m stats --hypothesis-profile exploring

crash: $(READY) ## kill the service two hundred times and check what is left
	$(BIN)/python -m tests.crash

soak: $(READY) ## play for ten minutes with restarts; nothing grows
	$(BIN)/python -m tests.crash.soak

fuzz: $(READY) ## send ten thousand requests made from the OpenAPI document, and the nasty ones that have a name
	$(BIN)/python -m tests.fuzz
	$(BIN)/pytest tests/gameplay/web/test_protocol.py tests/gameplay/web/test_bad_input.py

mutants: $(READY) ## change ledger and projections in 400 small ways; the tests must notice
	$(BIN)/python -m tests.mutants

images: $(READY) ## the environments of the images, made by the commands of the Containerfile
	$(BIN)/pytest -m images

wheels: $(READY) ## ask the index for a wheel of every pin for Python 3.14
	$(BIN)/python -m scripts.wheels 3.14

format: $(READY) ## put the source into its format
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

run: $(READY) ## serve games, metrics and history
	$(BIN)/rps serve

demo: $(READY) ## bots play, models are promoted, the audit agrees
	$(BIN)/python -m scripts.demo

pages: $(READY) ## take the pictures of docs/console.md again, and ask Lighthouse
	$(BIN)/python -m tests.gameplay.web.console.shots

migrate: $(READY) ## bring the database to the newest migration
	$(BIN)/rps migrate

failover: $(READY) ## kill everything that can die in a cluster while games go on; needs root and Patroni
	@$(BIN)/python -m tests.failover

bench: $(READY) ## measure appends, replay and requests on this machine; some rows: make bench ROWS="play- replay"
	-@$(INSTALL) --quiet -r requirements-bench.txt
	$(BIN)/python -m bench $(ROWS)

# The one file that others wrote: it comes out of the package of its own registry, whole and compared.
UPLOT := 1.6.32
UPLOT_SHA512 := 2883159c6ebccefbb95d751b0b82d010f9e1c0ec41b8bc96d401eda66e882935c89a46cb824332fa369b8cb8122cc6ac36e186cd09bf7a9ded3a4c93c6989023
STATIC := gameplay/web/console/static

vendor: ## fetch the chart library again, at the pinned version
	@set -euo pipefail; work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	(cd "$$work" && npm pack --silent uplot@$(UPLOT) >/dev/null && \
		echo "$(UPLOT_SHA512)  uplot-$(UPLOT).tgz" | sha512sum --check --quiet && tar xzf uplot-$(UPLOT).tgz); \
	cp "$$work/package/dist/uPlot.iife.min.js" $(STATIC)/uplot-$(UPLOT).min.js; \
	cp "$$work/package/dist/uPlot.min.css" $(STATIC)/uplot-$(UPLOT).min.css; \
	cp "$$work/package/LICENSE" $(STATIC)/uplot-$(UPLOT).LICENSE.txt

lock: ## pin what pyproject.toml asks for; pins that may stay do, and with UPGRADE=1 all move to today's
	@set -euo pipefail; work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	$(COMPILE) pyproject.toml --extra training --extra ui --output-file requirements.txt; \
	$(COMPILE) pyproject.toml --constraint requirements.txt --output-file requirements-serving.txt; \
	grep -v '^-r ' requirements-dev.txt > "$$work/dev.txt"; \
	runtime=$$(sed -nE 's/^([a-z0-9][a-z0-9._-]*)==.*/--no-emit-package \1/p' requirements.txt); \
	$(COMPILE) pyproject.toml --extra dev --extra training --extra ui --constraint requirements.txt $$runtime \
		--output-file "$$work/dev.txt"; \
	{ echo "-r requirements.txt"; cat "$$work/dev.txt"; } > requirements-dev.txt; \
	$(COMPILE) pyproject.toml --extra bench --constraint requirements.txt $$runtime --output-file requirements-bench.txt

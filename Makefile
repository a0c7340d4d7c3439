# Everything that is done with this checkout. Needs Python 3.11 or newer, make, and the package registries of PyPI and npm.
# Set-up is part of every target: what is missing is installed into .venv, once, from the lock files.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help

# The first Python at hand that is new enough; `make PYTHON=…` chooses another.
PYTHON ?= $(shell for each in python3.11 python3 python3.12 python3.13 python; do \
	"$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$each" && break; done)

VENV := .venv
BIN := $(VENV)/bin
# -I: what is tested is what was installed, never what happens to lie in the checkout.
ISOLATED := $(BIN)/python -I -m
CORES := $(shell getconf _NPROCESSORS_ONLN)
INSTALL := $(ISOLATED) pip install --quiet --disable-pip-version-check --no-input
LOCKED := $(INSTALL) --require-hashes
RESOLVE := uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-header
SOURCES := $(shell find service -not -path '*/.*' -not -path '*/__pycache__*') pyproject.toml README.md LICENSE \
	hatch_build.py package.json package-lock.json

.PHONY: help
help: ## Say what there is
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

.PHONY: run
run: $(VENV)/.ringback ## Start the daemon on the simulator, with health and metrics at http://127.0.0.1:8080
	exec $(BIN)/ringback run $(ARGS)

.PHONY: test
test: check ## What continuous integration asks for: the gate

.PHONY: check
check: static $(VENV)/.ringback $(VENV)/.dev ## The gate: format, lint, types, arrows, and all tests on the installed wheel
	$(ISOLATED) pytest --dist worksteal --tx '$(CORES)*popen//python=$(BIN)/python -I' $(ARGS)

.PHONY: static
static: $(VENV)/.ringback $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

.PHONY: format
format: $(VENV)/.dev ## Format the code and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: bench
bench: $(VENV)/.ringback $(VENV)/.dev ## Measure against the references, side by side (under 8 minutes)
	PYTHONPATH=tests $(BIN)/python -P -m bench $(ARGS)

.PHONY: crash
crash: $(VENV)/.ringback $(VENV)/.dev ## Kill the daemon a thousand times (about 20 minutes; RINGBACK_KILLS says how often)
	RINGBACK_KILLS=$${RINGBACK_KILLS:-1000} $(ISOLATED) pytest -o faulthandler_timeout=0 tests/integration/test_crash.py $(ARGS)

.PHONY: alert-crash
alert-crash: $(VENV)/.ringback $(VENV)/.dev ## Kill the daemon a hundred times around firing, telling and resolving (about 3 minutes)
	RINGBACK_ALERT_KILLS=$${RINGBACK_ALERT_KILLS:-100} \
		$(ISOLATED) pytest -o faulthandler_timeout=0 tests/integration/test_alert_crash.py $(ARGS)

.PHONY: chaos
chaos: $(VENV)/.ringback $(VENV)/.dev ## Strike a cluster a hundred times, and time who goes on (about 15 minutes; RINGBACK_FAULTS says how often)
	RINGBACK_FAULTS=$${RINGBACK_FAULTS:-100} $(ISOLATED) pytest -o faulthandler_timeout=0 -o log_cli=true -o log_cli_level=INFO \
		--log-disable=aiohttp.access --log-disable=httpx tests/integration/cluster $(ARGS)

.PHONY: blind
blind: $(VENV)/.ringback $(VENV)/.dev ## A thousand renewals, two hundred cuts, a whole day of a mid-size centre (about 10 minutes)
	RINGBACK_RENEWALS=1000 RINGBACK_CUTS=200 RINGBACK_DAY=24 \
		$(ISOLATED) pytest -o faulthandler_timeout=0 tests/integration/genesys $(ARGS)

.PHONY: page
page: $(VENV)/.ringback $(VENV)/.dev ## Leave the dashboard open for an hour of traffic, scaled (about 6 minutes)
	RINGBACK_PAGE_CHANGES=36000 $(ISOLATED) pytest -o faulthandler_timeout=0 -o log_cli=true \
		tests/browser/test_load.py $(ARGS)

.PHONY: generated
generated: $(VENV)/.ringback ## Write anew the files that are generated from the code
	$(ISOLATED) ringback.settings > config/ringback.toml
	$(ISOLATED) ringback.settings rules > config/rules.toml
	$(ISOLATED) ringback diagram > docs/lifecycle.md
	$(ISOLATED) ringback account > deploy/nats/accounts/local.conf

.PHONY: lock
lock: ## Resolve the lock files anew (needs uv)
	$(RESOLVE) --output-file requirements.lock pyproject.toml
	$(RESOLVE) --output-file requirements-build.lock --group build --constraints requirements.lock
	$(RESOLVE) --output-file requirements-node.lock --group node
	$(RESOLVE) --output-file requirements-dev.lock --group dev --constraints requirements.lock \
		--constraints requirements-build.lock

.PHONY: clean
clean: ## Remove all that the other targets made
	rm -rf service/ringback/web/dashboard/assets/vendor
	rm -rf $(VENV) .build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find service tests -name '__pycache__' -prune -exec rm -rf {} +

# Each stamp stands for one step of the set-up, and is older than what that step was made from
# whenever it has to be done again.

$(VENV)/.base: requirements.lock requirements-build.lock requirements-node.lock
	@[[ -n "$(PYTHON)" ]] || { echo "Python 3.11 or newer is needed: install it, or say make PYTHON=/its/path" >&2; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version)"
	$(PYTHON) -m venv --clear $(VENV)
	$(LOCKED) -r requirements.lock -r requirements-build.lock
	@# The dashboard's modules come by npm.
	command -v npm >/dev/null || $(LOCKED) -r requirements-node.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock package-lock.json hatch_build.py $(VENV)/.base
	$(LOCKED) -r requirements-dev.lock
	$(BIN)/python -I hatch_build.py $(VENV)/share/axe-core
	@touch $@

$(VENV)/.ringback: $(SOURCES) $(VENV)/.base
	rm -rf .build
	$(ISOLATED) pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir .build .
	$(INSTALL) --no-deps --no-index --force-reinstall .build/ringback-*.whl
	@touch $@

# The commands people and CI run. Each makes .venv first if it is missing or out of date.

PYTHON ?= python3
BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet
# torch is moved by hand: a newer build may bring gigabytes of CUDA with it
BACKENDS := torch==2.13.0 jax jaxlib
# most of a test's time is TensorFlow's own work on one core
PYTEST := $(BIN)/pytest --numprocesses logical --maxprocesses 4 --dist worksteal

# what only make test-all runs
MORE := all_backends or all_kinds or all_seeds or all_transports or examples or exhaustive or planted or wheel

.PHONY: help venv demo bench test test-all planted fuzz soak lint format e2e constraints clean

help: ## list these targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

venv: .venv/.stamp ## install Feedline and its tools into .venv

.venv/.stamp: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP_INSTALL) --constraint constraints.txt --editable '.[trainer,demo,dev]'
	touch $@

.venv/.stamp-all: .venv/.stamp constraints-all.txt
	$(PIP_INSTALL) --constraint constraints.txt --constraint constraints-all.txt $(BACKENDS)
	touch $@

demo: .venv/.stamp ## train a small CNN on real photographs, fed by two producers
	$(BIN)/python -m feedline demo

bench: .venv/.stamp ## measure all that the design promises, on this machine, in under 10 minutes
	$(BIN)/python -m feedline bench --json out/bench.json --plot out/bench.png

test: .venv/.stamp ## the tests on TensorFlow, under 5 minutes
	$(PYTEST) -m "not ($(MORE) or e2e)"

test-all: .venv/.stamp-all ## every test that needs no container, nor a machine of its own; installs torch and JAX
	$(PYTEST) -m "not (e2e or planted)"

planted: .venv/.stamp ## bottlenecks that are planted, and what the verdict says: on a machine with nothing else to do
	$(BIN)/pytest -m planted

lint: .venv/.stamp ## ruff, mypy, import-linter
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.stamp ## let ruff fix what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

SECONDS ?= 240
fuzz: .venv/.stamp ## strange messages and broken images for SECONDS=240, from SEED=0
	cd tests && ../$(BIN)/python -m fuzz --seconds $(SECONDS) --seed $(or $(SEED),0) $(TARGETS)

# ENGINE_UP may name a script that brings a Docker engine up
e2e: .venv/.stamp ## the compose stack for real, and faults that last long; needs a Docker engine
	@test -z "$$ENGINE_UP" || bash "$$ENGINE_UP"
	@docker version >/dev/null 2>&1 || { \
	  echo "make e2e needs a Docker engine: start one, or let ENGINE_UP name a script that does" >&2; exit 2; }
	$(BIN)/pytest -m "e2e or exhaustive" tests/e2e $(sort $(wildcard tests/integration/test_faults_*.py))

MINUTES ?= 30
SEED ?= 1

soak: .venv/.stamp ## train-like load under random troubles, for MINUTES; says what was lost, and what grew
	$(BIN)/python tests/soak/soak.py --minutes $(MINUTES) --seed $(SEED)

constraints: ## write constraints*.txt anew, from the newest versions in a fresh venv
	@set -e; tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; \
	pins() { "$$tmp/venv/bin/pip" freeze --exclude-editable | sed 's/+.*//'; }; \
	$(PYTHON) -m venv "$$tmp/venv"; \
	"$$tmp/venv/bin/pip" install --quiet --editable '.[trainer,demo,dev]'; pins >"$$tmp/base"; \
	"$$tmp/venv/bin/pip" install --quiet --constraint "$$tmp/base" $(BACKENDS); pins >"$$tmp/all"; \
	{ echo "# what .[trainer,demo,dev] installs: made by 'make constraints'"; cat "$$tmp/base"; } >constraints.txt; \
	{ echo "# what 'make test-all' adds: made by 'make constraints'"; \
	  grep -vxFf "$$tmp/base" "$$tmp/all"; } >constraints-all.txt

clean: ## remove what tools leave behind; .venv stays
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find common feedline producer trainer tests -name __pycache__ -type d -prune -exec rm -rf {} +

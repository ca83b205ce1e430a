# Everything runs from .venv, which is made on first use. pip's own configuration decides where packages come from.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test test-boundscheck test-nojit mutations check format bench generate clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.setup ## Run the demo: synthetic market, market maker, report (ARGS="--for 1m --seed 2")
	@$(BIN)/kimera run $(ARGS)

test: $(VENV)/.setup-dev test-boundscheck ## Run all tests (ARGS="-k profile")
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

# Numba reads garbage in silence when an index leaves its array; compiled with bounds checks it raises.
test-boundscheck: $(VENV)/.setup-dev ## Run the kernel tests with bounds checks compiled in
	NUMBA_BOUNDSCHECK=1 KIMERA_CACHE=$(CURDIR)/$(VENV)/boundscheck \
		$(BIN)/python -m pytest -n $(WORKERS) tests/kernels tests/sim tests/feeds

test-nojit: $(VENV)/.setup-dev ## Run the kernel tests as plain Python
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -n $(WORKERS) tests/kernels tests/feeds

mutations: $(VENV)/.setup-dev ## Break verifiers and rules one by one: some test must fail for each (ARGS="-k kraken")
	KIMERA_CACHE=$(CURDIR)/$(VENV)/mutations $(BIN)/python tests/mutations/run.py --jobs $(WORKERS) $(ARGS)

check: $(VENV)/.setup-dev ## Check format, lint, import contracts and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

format: $(VENV)/.setup-dev ## Format the code and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.setup ## Run all benchmarks (ARGS="--peers")
	@$(BIN)/kimera bench all $(ARGS)

generate: $(VENV)/.setup ## Write completions/ and schemas/ anew
	$(BIN)/kimera completion bash > completions/kimera.bash
	$(BIN)/kimera completion zsh > completions/_kimera
	$(BIN)/kimera completion fish > completions/kimera.fish
	$(BIN)/kimera schema > schemas/records-v1.json
	$(BIN)/kimera schema profile > schemas/profile-v1.json

clean: ## Remove what was built, installed and cached here (never runs/ or market data)
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

setup: $(VENV)/.setup ## Install kimera into .venv
setup-dev: $(VENV)/.setup-dev ## Install kimera and what tests and checks need

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit("kimera needs Python 3.11 or later: make PYTHON=python3.12 ..." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.setup: $(VENV)/.created pyproject.toml constraints.txt
	@echo "installing kimera into $(VENV): a few minutes the first time"
	$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.setup-dev: $(VENV)/.setup
	@echo "installing what tests, checks and comparisons with peers need"
	$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e ".[dev,peers]"
	@touch $@

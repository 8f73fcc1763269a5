# The work of the house, one target each. Needs Python 3.11 or newer and make; nothing else.
# Everything is installed in .venv; nothing outside this folder is changed.

SHELL := /bin/sh
.DEFAULT_GOAL := help

BIN := .venv/bin
STAMP := .venv/.set-up
# Files whose change makes an existing .venv stale.
RECIPE := requirements/dev.txt requirements/runtime.in pyproject.toml

# How many processes share the tests, a file at a time. PROCESSES=0: all in one.
PROCESSES ?= 2

# Seconds that one soak test may go on for; the tests read it from the environment.
SOAK_SECONDS ?= 30
export SOAK_SECONDS

.PHONY: help
help: ## List the targets
	@echo "make TARGET, where TARGET is one of:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-9s %s\n", $$1, $$2 }'

.PHONY: setup
setup: $(STAMP) ## Create .venv with everything that running, testing and checking need

.PHONY: demo
demo: $(STAMP) ## Run the whole gateway with sample data (ONCE=1: one walk and stop; DIR=path: keep it there)
	$(BIN)/gateway demo $(if $(ONCE),--once) $(if $(DIR),--dir "$(DIR)")

.PHONY: test
test: $(STAMP) ## Run every test, on SQLite and PostgreSQL (ARGS="tests/unit -x"; COVERAGE=1 to measure)
	$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile $(if $(COVERAGE),--cov --cov-report=json:coverage.json --cov-report=) $(ARGS)

.PHONY: soak
soak: $(STAMP) ## Run the long tests (SOAK_SECONDS=30: how long each may go on)
	@HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest -m soak --timeout=600 $(ARGS); \
	status=$$?; \
	if [ $$status -eq 5 ]; then echo "There is no soak test."; else exit $$status; fi

.PHONY: check
check: $(STAMP) ## Check style, types, the floor plan and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell

.PHONY: format
format: $(STAMP) ## Format the code and mend what can be mended safely
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .

.PHONY: audit
audit: $(STAMP) ## Ask whether a pinned package has a known vulnerability (needs the network)
	$(BIN)/python -m tests.house.audit requirements/dev.txt

.PHONY: bench
bench: $(STAMP) ## Measure how fast it goes on this machine (ARGS="--only decisions --full")
	$(BIN)/python -m tests.bench $(ARGS)

# The only target that needs uv (https://docs.astral.sh/uv/); UV=path says where it is.
UV ?= uv
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	--override requirements/overrides.in

.PHONY: lock
lock: ## Pin and hash the requirements again (needs uv; LOCK_ARGS=--upgrade takes newer versions)
	$(LOCK) $(LOCK_ARGS) requirements/runtime.in -o requirements/runtime.txt
	$(LOCK) $(LOCK_ARGS) requirements/build.in -o requirements/build.txt
	$(LOCK) $(LOCK_ARGS) requirements/dev.in -o requirements/dev.txt

.PHONY: clean
clean: ## Remove .venv and everything that can be made again
	rm -rf .venv build referral_gateway.egg-info coverage.json .coverage htmlcov \
		.mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find gateway tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The newest Python from 3.13 to 3.11, else whatever python3 is, if that is new enough.
# PYTHON=path chooses another. Each is run, not just found: a shim may stand for nothing.
$(STAMP): $(RECIPE)
	@set -e; python=; \
	ask='import sys; sys.exit(sys.version_info < (3, 11))'; \
	for candidate in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
		if $$candidate -c "$$ask" >/dev/null 2>&1; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "Python 3.11 or newer is needed; none was found as $(or $(PYTHON),python3.13 python3.12 python3.11 or python3)." >&2; \
		echo "Install one, or say where it is: make setup PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi; \
	if ! $$python -c 'import ensurepip, venv' >/dev/null 2>&1; then \
		version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
		echo "Python $$version is here, but cannot make virtual environments." >&2; \
		echo "On Debian or Ubuntu, install what is missing: apt-get install python$$version-venv" >&2; \
		exit 1; \
	fi; \
	echo "Setting up .venv with $$($$python --version)"; \
	who='import sys; print(sys.base_prefix, sys.version_info[:3])'; \
	if [ "$$($(BIN)/python -c "import pip; $$who" 2>/dev/null)" != "$$($$python -c "$$who")" ]; then \
		$$python -m venv --clear .venv; \
	fi
	@# The lock is whole, so what packages ask for is not asked again: see requirements/overrides.in.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --no-index --editable .
	@touch $(STAMP)
	@echo "Ready: make test, make check, make demo"

# Two commands on a fresh machine with Python 3.11 or later and make: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
MANAGE := $(RUN) manage.py
# Static checks load the settings, which need a secret key; a temporary folder keeps them out of var/.
CHECK_ENV := SHIOL_SECRET_KEY=only-for-checks-which-serve-nobody SHIOL_VAR=$$(mktemp -d)
COMPILE := $(VENV)/bin/uv pip compile --quiet pyproject.toml --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url
INSTALL := $(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes

PYTEST := $(RUN) -m pytest -n auto --dist loadfile --no-loadscope-reorder
# Tests that do not depend on the date, that run the whole suite in a subprocess, or that need a browser.
DATE_INDEPENDENT := browser faults test_clock.py test_postgres.py $(addprefix predictions/, \
	distributions modes evaluation/test_intervals.py draws/test_randomness.py training/test_trainer.py)

.PHONY: help demo serve test test-dates test-trixie lint schema fuzz bench screenshots faults lock clean

help: ## List the targets
	@grep -hE '^[a-z%-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: ready ## Install, then run the pipeline on real draws, generate tickets and query the API
	@$(MANAGE) demo

serve: ready ## Install, then run the web server and the clusters until Ctrl-C (PORT=8000)
	@$(MANAGE) serve --port $(or $(PORT),8000)

test: $(VENV)/installed-dev ## Install the development tools, then run the tests
	@$(PYTEST)

test-dates: $(VENV)/installed-dev ## Run the tests that depend on the date at three other instants (needs a C compiler)
	@status=0; for now in 2027-01-02T22:30-05:00 2027-03-14T01:30-05:00 2028-02-29T12:00Z; do \
		SHIOL_TESTS_NOW=$$now $(PYTEST) $(foreach path,$(DATE_INDEPENDENT),--ignore=tests/$(path)) || status=1; \
	done; exit $$status

test-trixie: ## Run demo, test and lint on a minimal Debian 13 with Python 3.13 (needs root and debootstrap)
	@.ci/trixie

lint: $(VENV)/installed-dev ## Check style, types, import direction and migrations
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(CHECK_ENV) $(VENV)/bin/mypy .
	@$(CHECK_ENV) $(VENV)/bin/lint-imports
	@$(CHECK_ENV) $(MANAGE) makemigrations --check --dry-run

schema: $(VENV)/installed-dev ## Regenerate docs/openapi.yaml
	@$(CHECK_ENV) $(MANAGE) spectacular --skip-checks --validate --fail-on-warn --file docs/openapi.yaml

fuzz: $(VENV)/installed-dev ## Send requests generated from the schema to a running server (CASES=5000, SEED=1)
	@$(RUN) -m tests.fuzzing --cases $(or $(CASES),5000) --seed $(or $(SEED),1)

bench: $(VENV)/installed-dev ## Run the benchmarks of docs/benchmarks.md
	@$(RUN) -m tests.benchmarks

bench-%: $(VENV)/installed-dev ## Run one: admin, backtest, claims, dashboard, demand, large, scoring, serving (some need wrk)
	@$(RUN) -m tests.benchmarks.$*

screenshots: $(VENV)/installed-dev ## Retake the screenshots in docs/images from the data of `make demo`
	@$(RUN) -m tests.screenshots

faults: $(VENV)/installed-dev ## Run all fault injection tests (SEED=1 RUNS=60 DOUBLED=20; half an hour)
	@SHIOL_FAULTS=all $(RUN) -m pytest tests/faults
	@$(RUN) -m tests.faults.sweep --seed $(or $(SEED),1) --runs $(or $(RUNS),60) --doubled $(or $(DOUBLED),20)

lock: $(VENV)/installed-dev ## Update requirements.txt and requirements-dev.txt from pyproject.toml
	@$(COMPILE) -o requirements.txt
	@$(COMPILE) --extra develop --constraint requirements.txt -o requirements-dev.txt

clean: ## Remove the environment and caches; keep var/
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

.PHONY: ready
ready: $(VENV)/installed
	@$(MANAGE) init
	@$(MANAGE) migrate --skip-checks --verbosity 0
	-@$(MANAGE) import_draws

# Reinstalled when the lock file changes; pip verifies the hash of every package.
$(VENV)/installed: requirements.txt
	@echo "Setting up $(VENV) (once; this downloads packages) …"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is required, this is " + sys.version.split()[0])'
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) -r requirements.txt
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	@echo "Installing the development tools …"
	@$(INSTALL) -r requirements-dev.txt
	@touch $@

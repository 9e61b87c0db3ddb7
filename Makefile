# Two commands on a fresh machine with Python 3.11 and make: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
MANAGE := $(RUN) manage.py
# What checks code needs a key, and must not touch var/.
CHECKING := SHIOL_SECRET_KEY=only-for-checks-which-serve-nobody SHIOL_VAR=$$(mktemp -d)

PYTEST := $(RUN) -m pytest -n auto --dist loadfile --no-loadscope-reorder
# Tests that know no date, those of the whole suite in another process, and those in a browser.
DATELESS := browser faults test_clock.py test_postgres.py $(addprefix predictions/, \
	distributions modes evaluation/test_intervals.py draws/test_randomness.py training/test_trainer.py)

.PHONY: help demo serve test test-dates test-trixie lint schema fuzz bench screenshots faults lock clean

help: ## List the targets
	@grep -hE '^[a-z%-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: ready ## Set up, then run the main job on real draws and report
	@$(MANAGE) demo

serve: ready ## Set up, then run web server and clusters until Ctrl-C (PORT=8000)
	@$(MANAGE) serve --port $(or $(PORT),8000)

test: $(VENV)/installed ## Set up, run the tests
	@$(PYTEST)

test-dates: $(VENV)/installed ## Run the tests that depend on the date at other instants (needs a C compiler)
	@status=0; for now in 2027-01-02T22:30-05:00 2027-03-14T01:30-05:00 2028-02-29T12:00Z; do \
		SHIOL_TESTS_NOW=$$now $(PYTEST) $(foreach path,$(DATELESS),--ignore=tests/$(path)) || status=1; \
	done; exit $$status

test-trixie: ## Run demo, lint and test on an empty Debian 13 with Python 3.13 (root, debootstrap)
	@.ci/trixie

lint: $(VENV)/installed ## Check style, types, import direction and migrations
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(CHECKING) $(VENV)/bin/mypy .
	@$(CHECKING) $(VENV)/bin/lint-imports
	@$(CHECKING) $(MANAGE) makemigrations --check --dry-run

schema: $(VENV)/installed ## Write docs/openapi.yaml anew from the code
	@$(CHECKING) $(MANAGE) spectacular --skip-checks --validate --fail-on-warn --file docs/openapi.yaml

fuzz: $(VENV)/installed ## Requests made up from the schema, against a real server (CASES=5000, SEED=1)
	@$(RUN) -m tests.fuzzing --cases $(or $(CASES),5000) --seed $(or $(SEED),1)

bench: $(VENV)/installed ## Print the figures that the README quotes
	@$(RUN) -m tests.benchmarks

bench-%: $(VENV)/installed ## One more: bench-admin, -backtest, -claims, -demand, -large, -scoring, -serving (needs wrk)
	@$(RUN) -m tests.benchmarks.$*

screenshots: $(VENV)/installed ## Take the README's pictures of the dashboard anew, of what `make demo` left
	@$(RUN) -m tests.screenshots

faults: $(VENV)/installed ## Kill, double, fill and stop real clusters and databases, all of it (SEED=1 RUNS=60 DOUBLED=20; half an hour)
	@SHIOL_FAULTS=all $(RUN) -m pytest tests/faults
	@$(RUN) -m tests.faults.sweep --seed $(or $(SEED),1) --runs $(or $(RUNS),60) --doubled $(or $(DOUBLED),20)

lock: $(VENV)/installed ## Write requirements.txt anew from pyproject.toml
	@$(VENV)/bin/uv pip compile --quiet pyproject.toml --extra develop --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url -o requirements.txt

clean: ## Remove the environment and caches; var/ with your data stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

.PHONY: ready
ready: $(VENV)/installed
	@$(MANAGE) init
	@$(MANAGE) migrate --skip-checks --verbosity 0
	-@$(MANAGE) import_draws

# Installed once for each lock; every package is checked against its hash.
$(VENV)/installed: requirements.txt
	@echo "Setting up $(VENV) (once; this downloads packages) …"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

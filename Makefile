# make alone prints the targets. PYTHON chooses the interpreter (3.10 to 3.13).
PYTHON  ?= python3
VENV    ?= .venv
NH_HOME ?= .nh
export NH_HOME
# Tests, and nh, start many processes: packages are compiled once, not in each of them.
unexport PYTHONDONTWRITEBYTECODE

BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed
# What only tests need, and wants other versions, is apart: other readers of the tables, and what stands for Snowflake.
APART := readers snowflake
# A server of DynamoDB, from npm, where that is: tests are skipped without it.
DYNALITE := $(VENV)/dynalite

.DEFAULT_GOAL := help
.PHONY: help setup demo dashboard ui unit test lint secrets audit format lock bench clean

help:  ## print the targets
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## create the virtual environment from requirements.lock

# uv installs the locked set in parallel; it is itself taken from PyPI, into the environment.
$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; assert (3, 10) <= sys.version_info[:2] <= (3, 13), "Python 3.10 to 3.13 is needed, this is " + sys.version'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

$(VENV)/%/.installed: requirements-%.lock | $(STAMP)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV)/$*
	$(BIN)/uv pip install --quiet --python $(VENV)/$*/bin/python --require-hashes -r requirements-$*.lock
	@touch $@

$(DYNALITE)/.installed: | $(STAMP)
	if command -v npm >/dev/null; then \
		npm install --silent --no-save --no-package-lock --ignore-scripts --prefix $(DYNALITE) dynalite@4.0.0 && touch $@; \
	fi

demo: $(STAMP)  ## generate deliveries, run the whole chain on them, print what came out
	$(BIN)/nh demo

dashboard: $(STAMP)  ## open the dashboard on the lake in NH_HOME (http://127.0.0.1:8501)
	$(BIN)/nh dashboard

ui: $(STAMP)  ## open the Dagster UI on the lake in NH_HOME (http://127.0.0.1:3000)
	$(BIN)/nh ui

unit: $(STAMP)  ## the tests that need no engine and no Dagster instance (PYTEST_ARGS: more for pytest)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile -m "not integration and not golden" nh_pipeline_tests/unit $(PYTEST_ARGS)

PYTEST := $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder
# Those that compute, and those that wait for daemons and servers and leave the cores to others; a file is in one process.
# Apart, as a process that has built many tables keeps memory (docs/spark-subset.md). What takes longest begins first.
COMPUTING := $(addprefix nh_pipeline_tests/,conformance golden engine unit)
WAITING   := $(addprefix nh_pipeline_tests/,integration browser crash)
test: $(STAMP) $(APART:%=$(VENV)/%/.installed) $(DYNALITE)/.installed lint  ## lint, types, all tests that this machine can run, coverage
ifdef PYTEST_ARGS
	$(PYTEST) --numprocesses 3 $(PYTEST_ARGS)
else
	$(PYTEST) --numprocesses 3 $(COMPUTING) --cov --cov-report= --cov-fail-under=0 --durations=10; computed=$$?; \
	$(PYTEST) --numprocesses 5 $(WAITING) --cov --cov-append --cov-report=term --durations=20 && exit $$computed
endif

lint: $(STAMP)  ## ruff, mypy --strict, which room may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# Of known findings, which are none, .secrets.baseline has the hashes. 3 says that one of them is in another line by now.
secrets: $(STAMP)  ## look for passwords and keys in what is committed
	cp .secrets.baseline $(VENV)/secrets.baseline
	$(BIN)/detect-secrets-hook --no-verify --baseline $(VENV)/secrets.baseline \
		$$(git ls-files | grep -vE '(\.baseline|\.lock|\.csv|\.json|\.png|\.svg|data-dictionary\.md)$$') || [ $$? -eq 3 ]

audit: $(STAMP)  ## compare the locked versions with the known vulnerabilities (asks PyPI)
	$(BIN)/uv tool run --from 'pip-audit>=2.9,<3' pip-audit --disable-pip --require-hashes --requirement requirements.lock

format: $(STAMP)  ## rewrite in house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## time full quarters against DuckDB by hand, JVM Spark and naive PySpark
	$(BIN)/python -m benchmarks

COMPILE := uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-emit-index-url \
	--no-strip-extras --no-header
lock:  ## recompile the lock files (needs uv)
	$(COMPILE) --all-extras --output-file requirements.lock pyproject.toml
	$(COMPILE) --extra deploy --constraint requirements.lock --output-file requirements-deploy.lock pyproject.toml
	$(foreach group,$(APART),$(COMPILE) --group $(group) --output-file requirements-$(group).lock &&) true

clean:  ## remove the environment, the lake and caches
	rm -rf $(VENV) $(NH_HOME) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis spark-warehouse
	find . -name __pycache__ -prune -exec rm -rf {} +

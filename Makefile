# Needs Python ≥ 3.11 and make. Everything is installed into $(VENV); a second run installs nothing.
#   make demo PYTHON=python3.12            choose the interpreter
#   make demo DEMO_EXTRAS=langchain        without local embeddings (saves torch)
#   make demo DEMO_ARGS=--fast             options of `persona-memory demo`: --fast, --short, --home FOLDER
#   make test PYTEST="-q -k ledger"        other options for pytest

SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV ?= .venv
BIN := $(VENV)/bin
# The first interpreter that is new enough.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)

DEMO_EXTRAS ?= langchain,offline,parametric
TEST_EXTRAS ?= dev,langchain,mcp,openai,serve,telemetry,vllm,offline,parametric,qdrant,ray,edge,postgres,encryption,eval
PYTEST ?= -q -n 2
DATA ?= ../shared/data
BENCH ?= $(filter-out benchmarks/soak.py benchmarks/comparison.py,$(sort $(wildcard benchmarks/*.py)))
BENCH_ARGS ?=
REFERENCE_ARGS ?=
TORTURE_ARGS ?=
SWEEPS ?= reference memorise safety drift meta knowledge
SWEEP_ARGS ?=
REPORTS ?= build/reports

comma := ,
stamp = $(VENV)/.installed-$(subst $(comma),-,$(1))
DEMO_STAMP := $(call stamp,$(DEMO_EXTRAS))
TEST_STAMP := $(call stamp,$(TEST_EXTRAS))
DOCS_STAMP := $(call stamp,docs)
CORE_STAMP := $(VENV)-core/.installed
LOCK_STAMP := $(VENV)/.installed-locked
LOCKING := --generate-hashes --allow-unsafe --strip-extras --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options

.PHONY: help demo test proofs test-core check format lock bench torture reference-model sweep docs clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18
	@echo; echo "For example:"; sed -n 's/^#   make/  make/p' $(MAKEFILE_LIST)

demo: $(DEMO_STAMP) ## two people, twelve conversations: see what is remembered and why, and what moves into weights
	@$(BIN)/persona-memory demo $(DEMO_ARGS)

test: $(TEST_STAMP) ## the test suite, in some minutes
	@$(BIN)/python -m pytest $(PYTEST) -m "not proof"

proofs: $(TEST_STAMP) ## the proofs that take longer: attacks in full, trainings that are killed and go on
	@$(BIN)/python -m pytest $(PYTEST) -m proof

test-core: $(CORE_STAMP) ## the suite with no extra installed: no torch, transformers, qdrant, langchain
	@$(VENV)-core/bin/python -m pytest $(PYTEST) -m "not proof"

check: $(TEST_STAMP) ## format, lint, types, imports, insecure code
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive persona_memory integrations scripts

format: $(TEST_STAMP) ## format and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(BIN)/python ## pin the tools of `make check` again, with hashes
	@$(BIN)/python -m venv $(VENV)-lock
	@$(VENV)-lock/bin/python -m pip install --quiet --disable-pip-version-check "pip-tools>=7.5,<8"
	@$(VENV)-lock/bin/pip-compile --quiet $(LOCKING) --constraint constraints.txt \
		--output-file requirements-check.txt requirements-check.in
	@rm -rf $(VENV)-lock

# A benchmark is benchmarks/*.py and takes --data DIR. One that needs a data set says so in a line "# needs: FOLDER".
# One that fails is said at the end; the others run.
# By name only: soak.py, which takes hours, and comparison.py, which installs other libraries into environments of their own.
#   make bench BENCH_ARGS=--quick             all of them on little data, minutes instead of hours
#   make bench BENCH=benchmarks/soak.py       a million turns
#   make bench BENCH=benchmarks/speed.py BENCH_ARGS="--million --peers FOLDER"     one of them, with options of its own
bench: $(TEST_STAMP) ## the benchmarks; data sets are looked for in DATA (../shared/data)
	@shopt -s nullglob; files=($(BENCH)); failed=; echo "$${#files[@]} benchmarks"; for file in "$${files[@]}"; do \
		needs=$$(sed -n 's/^# needs: //p' "$$file" | head -1); \
		if [ -n "$$needs" ] && [ ! -e "$(DATA)/$$needs" ]; then \
			echo "== $$file: skipped, $(DATA)/$$needs is not there (make bench DATA=…)"; continue; \
		fi; \
		echo "== $$file"; $(BIN)/python "$$file" --data "$(DATA)" $(BENCH_ARGS) || failed="$$failed $$file"; \
	done; if [ -n "$$failed" ]; then echo "failed:$$failed" >&2; exit 1; fi

#   make torture TORTURE_ARGS="--trials 50"             minutes instead of most of an hour
#   make torture TORTURE_ARGS="--only crash --seed 132 --trials 1"     repeats what it has found
torture: $(TEST_STAMP) ## try to lose or corrupt a memory: kills, full disks, jumping clocks, many processes
	@$(BIN)/python -m tests.torture $(TORTURE_ARGS)

# Resumable: a second call goes on where the first was stopped. Two hours on two cores with bfloat16 units.
reference-model: $(TEST_STAMP) ## train the reference model again, in build/reference-model, and measure its bars
	$(BIN)/python -m persona_memory.evaluation.reference train build/reference-model $(REFERENCE_ARGS)
	$(BIN)/python -m persona_memory.evaluation.reference export build/reference-model build/reference-model/model
	$(BIN)/persona-memory eval reference --local build/reference-model/model

# Resumable, too: hours on two cores; JSON, tables and plots lie in REPORTS then.
#   make sweep SWEEPS=safety SWEEP_ARGS=--quick     one of them, on little data
sweep: $(TEST_STAMP) ## measure adapters on the reference model in full
	mkdir -p $(REPORTS)
	for name in $(SWEEPS); do $(BIN)/persona-memory eval $$name $(SWEEP_ARGS) --json --markdown $(REPORTS)/$$name.md \
		--plot $(REPORTS) > $(REPORTS)/$$name.json || exit 1; done

docs: $(DOCS_STAMP) ## the documentation, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean: ## remove what was installed and built
	rm -rf $(VENV) $(VENV)-core $(VENV)-lock build dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "persona-memory needs Python 3.11 or newer, and none was found: install it, or make PYTHON=/path/to/python" >&2; exit 1; \
	fi
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "persona-memory needs Python 3.11 or newer; $(PYTHON) is $$("$(PYTHON)" --version 2>/dev/null || echo missing): make PYTHON=/path/to/python" >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)

$(DEMO_STAMP): EXTRAS = $(DEMO_EXTRAS)
$(TEST_STAMP): EXTRAS = $(TEST_EXTRAS)
$(DOCS_STAMP): EXTRAS = docs
$(sort $(DEMO_STAMP) $(TEST_STAMP) $(DOCS_STAMP)): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing persona-memory[$(EXTRAS)] into $(VENV); with torch this takes a minute or two …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$(EXTRAS)]"
	@touch $@

# Before the extras, which then find them there; whatever was installed in their place goes.
$(TEST_STAMP): $(LOCK_STAMP)
$(LOCK_STAMP): requirements-check.txt | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps --require-hashes \
		--only-binary :all: -r $<
	@touch $@

$(CORE_STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@$(BIN)/python -m venv $(VENV)-core
	@$(VENV)-core/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

# make demo        set up, then grade two finished homeworks and a wrong one
# make test        every proof, once
# make test-ci     what CI runs beside it: the same from cold starts, on further backends, as further users
# make test-all    both, and the long soaks
# make check       lint and types only;  make format  puts the code in shape
# make bench       what measures speed
# make clean       remove the environment and everything generated

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=

bin := $(VENV)/bin
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-ci test-all check format bench clean

# Some machines forbid bytecode; every `grade` would then compile the package anew.
export PYTHONDONTWRITEBYTECODE :=

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

# --- the environment: one folder, one stamp for each set of extras ---

$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { echo "No $(PYTHON) here. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Name a newer one: make PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) has no venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.demo: extras := torch
$(VENV)/.dev: extras := dev,class,cluster,notebook,nbgrader
$(VENV)/.test: extras := dev,class,cluster,notebook,nbgrader,torch,tensorflow
install = $(bin)/python -m pip install -c constraints.txt -e '.[$(extras)]'
# -qq hides pip's warnings, never its errors. Then this package is compiled, which pip does for all others.
$(VENV)/.demo $(VENV)/.dev $(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/.made
	@echo "Installing autograder[$(extras)] into $(VENV); the first time takes minutes."
	@$(install) -qq --disable-pip-version-check || { echo "pip failed. What it says in full: $(install)" >&2; exit 2; }
	@$(bin)/python -m compileall -q autograder
	@touch $@

# $(call stage,name,command): says what runs and how long it took, and fails as the command does.
stage = @echo "== $(1)"; start=$$(date +%s); $(2); code=$$?; echo "== $(1): $$(($$(date +%s) - start)) s"; exit $$code

# --- what the project is for: a grade below full (exit 1) is a result, anything above a failure ---

# $(call graded,arguments): shows the command and what it prints.
graded = @echo; echo '$$ grade $(1)'; $(bin)/grade $(1); code=$$?; test $$code -le 1 || exit $$code

demo: $(VENV)/.demo
	$(call graded,check hw1 solutions/hw1_perceptron/perceptron.py)
	$(call graded,check hw2 solutions/hw2_mlp/mlp_torch.py)
	@echo; echo "A model that learns nothing although its loss falls: labels [n] against predictions [n, 1]."
	$(call graded,check hw2 solutions/hw2_mlp/wrong/broadcast_labels/mlp.py)

# --- proofs ---

ruff = $(call stage,ruff,$(bin)/ruff check --quiet . && $(bin)/ruff format --check --quiet .)
mypy = $(call stage,mypy,$(bin)/mypy)
stubs = $(call stage,stubs,$(bin)/grade release --check)
# A hung test fails after --timeout seconds instead of holding up CI.
# Two at a time: most tests wait for something.
pytest = $(call stage,pytest,$(bin)/python -m pytest --numprocesses 2 --dist loadgroup $(1) $(PYTEST_ARGS))
validate = $(call stage,validate,$(bin)/grade validate --all)

test: $(VENV)/.test
	$(ruff)
	$(mypy)
	$(stubs)
	$(call pytest,-m "not slow and not ci" --timeout 300)
	$(validate)

test-ci: $(VENV)/.test
	$(call pytest,-m "ci and not slow" --timeout 300)

test-all: $(VENV)/.test
	$(ruff)
	$(mypy)
	$(stubs)
	$(call pytest,--timeout 1800)
	$(validate)

check: $(VENV)/.dev
	$(ruff)
	$(mypy)

format: $(VENV)/.dev
	@$(bin)/ruff format .
	@$(bin)/ruff check --fix .

bench: $(VENV)/.test
	@for file in benchmarks/*.py; do echo "== $$file"; $(bin)/python "$$file" || exit $$?; done

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# make demo, test, coverage, lint, bench, docs, linkcheck, package: each sets up .venv first where it is missing.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

.PHONY: demo test coverage lint bench docs linkcheck package
demo: $(READY)
	$(BIN)/genre fit --config examples/quickstart.yaml

# One process per core, each with a thread of its own. A file stays in one process, which fits once for all its tests;
# xdist begins the files in the order of tests/conftest.py, the longest first.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

test: $(READY)
	$(PYTEST)

# The suite, and the share of the lines of genre/ that it runs, in processes that it starts too: the line TOTAL.
# The servers that fork processes (tests/processes.py) end after the tests, so their lines are added then.
coverage: $(READY)
	$(PYTEST) --cov --cov-report=
	$(BIN)/python -m coverage combine --append --quiet
	$(BIN)/python -m coverage report --skip-covered

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python -m benchmarks

# -n: a reference that is not found is a warning; -W: a warning is an error.
docs: $(READY)
	$(BIN)/python -m sphinx -b html -n -W --keep-going docs docs/build

# External links, where they can be reached: a broken one is printed, and offline nothing fails.
linkcheck: $(READY)
	-$(BIN)/python -m sphinx -b linkcheck docs docs/build/linkcheck

package: $(READY)
	.ci/package

# musicnn holds the weights of MusiCNN; its own requirements, an old TensorFlow among them, cannot be met.
$(READY): pyproject.toml Makefile
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	$(BIN)/python -m pip install --quiet --no-deps musicnn==0.1.0
	touch $@

# make demo, make test, make lint, make bench, make package: each sets up .venv first where it is missing.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

.PHONY: demo test lint bench package
demo: $(READY)
	$(BIN)/genre fit --config examples/quickstart.yaml

# One process per core, each with a thread of its own. A file stays in one process, which fits once for all its tests.
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python -m benchmarks

package: $(READY)
	.ci/package

# musicnn holds the weights of MusiCNN; its own requirements, an old TensorFlow among them, cannot be met.
$(READY): pyproject.toml Makefile
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	$(BIN)/python -m pip install --quiet --no-deps musicnn==0.1.0
	touch $@

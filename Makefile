# Each target does its own set-up: python3, git and make are all it needs from the machine.
PYTHON ?= python3
VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
STAMP := $(VENV)/.ready
PYTEST_WORKERS ?= 2

.PHONY: demo test setup check real bench pins clean

demo: $(STAMP)
	$(BIN)/comfydock demo

test: $(STAMP)
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) -m "not real"

setup: $(STAMP)

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy packages tests
	$(BIN)/python -m pytest tests/contracts

real: $(STAMP)
	$(BIN)/python -m tests.real

bench: $(STAMP)
	$(BIN)/python -m benchmarks

pins: $(STAMP)
	$(BIN)/uv pip compile -q --no-config --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-package comfydock-core --no-emit-package comfydock-cli requirements/dev.in -o requirements/dev.txt
	$(BIN)/uv pip compile -q --no-config --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		requirements/bootstrap.in -o requirements/bootstrap.txt

$(STAMP): requirements/bootstrap.txt requirements/dev.txt packages/core/pyproject.toml packages/cli/pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "comfydock needs Python 3.11 or newer; name one with make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(BIN)/uv || $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	$(BIN)/uv pip install -q --no-config --python $(BIN)/python --require-hashes -r requirements/dev.txt
	$(BIN)/uv pip install -q --no-config --python $(BIN)/python --no-deps -e packages/core -e packages/cli
	touch $(STAMP)

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache

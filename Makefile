# The environment comes from requirements.lock alone: every version, with hashes.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3

.PHONY: demo test check env lock picture table accuracy bench bench-wandb clean

demo: env
	$(BIN)/agent ask "check on sweeps" --demo

test: env
	$(BIN)/pytest -n auto --maxprocesses=8

check: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

env: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	@if command -v uv >/dev/null 2>&1; then \
	    uv venv --quiet --allow-existing --python '>=3.11' $(VENV) && \
	    uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock && \
	    uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable . ; \
	else \
	    $(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed (make PYTHON=…)" if sys.version_info < (3, 11) else 0)' && \
	    $(PYTHON) -m venv $(VENV) && \
	    $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock && \
	    $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . ; \
	fi
	@touch $@

# Renew the lock after a change of versions in pyproject.toml.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header --no-annotate \
	    pyproject.toml --group dev -o requirements.lock

# The picture in the README: the real output of the demo, exported by the terminal library.
picture: env
	$(BIN)/python docs/picture.py

# The table of what each act needs, in docs/guard.md: the rules themselves.
table: env
	$(BIN)/python docs/table.py

accuracy: env
	$(BIN)/python -m tests.accuracy

bench: env
	$(BIN)/python tests/benchmarks/run.py

bench-wandb: env
	$(BIN)/python tests/benchmarks/online.py

clean:
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache

# The front door. Each recipe is a plain command; CI runs the same ones.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/python -m uv
SERVE_ARGS ?=
# Frameworks have an environment of their own, as their users have: what they ask for binds nobody else.
FRAMEWORKS := .venv-frameworks
EXAMPLES := examples/frameworks

.PHONY: setup setup-dev setup-js setup-frameworks setup-postgres serve test prove lint format bench lock docs clean

setup: $(VENV)/.run-ready  ## environment from the hashed lock

# A link to an older interpreter makes every later error obscure: say it at once.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "geminid needs Python 3.11 or newer; $(PYTHON) is older" >&2; echo "hint: make PYTHON=python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.bootstrap-ready: $(BIN)/python requirements/bootstrap.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(VENV)/.run-ready: $(VENV)/.bootstrap-ready requirements/run.txt pyproject.toml
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/run.txt
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

setup-dev: $(VENV)/.dev-ready

$(VENV)/.dev-ready: $(VENV)/.run-ready requirements/dev.txt
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@

setup-js: tests/contract/js/node_modules/.ready

tests/contract/js/node_modules/.ready: tests/contract/js/package-lock.json
	cd tests/contract/js && npm ci --silent --no-audit --no-fund
	@touch $@

# Copied, not linked from a cache: NLTK, on which LlamaIndex stands, refuses files with more than one name.
setup-frameworks: $(FRAMEWORKS)/.ready $(EXAMPLES)/node_modules/.ready

$(FRAMEWORKS)/.ready: $(VENV)/.bootstrap-ready requirements/frameworks.txt
	$(UV) venv --quiet --clear --python $(BIN)/python $(FRAMEWORKS)
	$(UV) pip install --quiet --link-mode copy --python $(FRAMEWORKS)/bin/python --require-hashes -r requirements/frameworks.txt
	@touch $@

$(EXAMPLES)/node_modules/.ready: $(EXAMPLES)/package-lock.json
	cd $(EXAMPLES) && npm ci --silent --no-audit --no-fund
	@touch $@

# The tests start servers of their own from the distribution's package; they need no running one.
setup-postgres:
	@ls /usr/lib/postgresql/*/bin/postgres > /dev/null 2>&1 || \
	  { [ "$$(id -u)" = 0 ] || SUDO=sudo; $$SUDO apt-get update -qq && $$SUDO apt-get install -yqq --no-install-recommends postgresql; }

serve: setup  ## pull the default model if it is absent, serve on 127.0.0.1:8080
	$(BIN)/geminid serve --pull $(SERVE_ARGS)

test: setup-dev setup-js setup-frameworks setup-postgres  ## every test
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not e2e" --cov --cov-report=
	$(BIN)/coverage report --include='src/geminid/core/*,src/geminid/wire/*' --fail-under=95
	$(BIN)/python -m pytest -q -m e2e

prove: setup-dev setup-postgres  ## the long runs behind the promises: every random case, every history of money
	PROVE=all $(BIN)/python -m pytest -q -s \
	  tests/e2e/test_thinking.py tests/e2e/test_schemas.py tests/e2e/test_functions.py \
	  tests/e2e/test_accuracy.py tests/hostile/test_files.py tests/hostile/test_batches.py tests/contract/test_files_py.py \
	  tests/sim tests/e2e/test_money_many.py

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup-dev setup-postgres requirements/bench.txt
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/bench.txt
	$(BIN)/python -m benchmarks.run

lock: $(VENV)/.bootstrap-ready  ## write requirements/*.txt afresh
	$(BIN)/python requirements/lock.py

docs: setup-dev  ## regenerate docs/reference
	$(BIN)/python docs/generate.py
	$(BIN)/python tests/contract/compatibility.py > docs/reference/compatibility.md.new
	mv docs/reference/compatibility.md.new docs/reference/compatibility.md

clean:
	rm -rf $(VENV) $(FRAMEWORKS) tests/contract/js/node_modules $(EXAMPLES)/node_modules

# Every target works on a fresh clone; `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash

VENV ?= .venv
PYTHON ?= $(firstword $(foreach python,python3 python3.13 python3.12 python3.11 python3.14,$(shell $(python) -c 'import sys; sys.version_info >= (3, 11) and print("$(python)")' 2>/dev/null)))
BIN := $(VENV)/bin
# Version of Apache Kafka for `make test-kafka`; empty: the one that deploy/kafka/pom.xml pins.
KAFKA ?= $(ISONOMY_KAFKA_VERSION)
# A package is installed only if its hash is in the lock; a lock is complete, so nothing is resolved. Builds are not
# isolated: pip would fetch their tools without a hash. Nothing is compiled ahead: most modules are never imported.
PIP := set -o pipefail; $(BIN)/python -m pip install --disable-pip-version-check --no-compile
# pip's progress, one line for every ten packages.
PROGRESS := awk '/^Collecting / && ++n % 10 == 0 {print "    " n " packages fetched"} \
   /^Installing collected/ {print "    " n " packages fetched, installing them"} {fflush()}'
# RUNTIME: what `make run` needs; READY: all, in the same environment.
RUNTIME := $(VENV)/.runtime
READY := $(VENV)/.installed
# One thread per matrix: two are slower at this size, and their sums differ in the last bit.
export OPENBLAS_NUM_THREADS ?= 1
# Keep the bytecode of modules that are compiled at their first import.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(RUNTIME): deploy/runtime.lock deploy/local.lock deploy/build.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed (set PYTHON=…)"; exit 1; }
	@echo "1/5 a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { echo "the venv module is missing: on Debian, apt install python3-venv"; exit 1; }
	@echo "2/5 build tools"
	@$(PIP) --require-hashes --no-deps --only-binary=:all: -r deploy/build.lock | $(PROGRESS)
	@echo "3/5 runtime: $$(cat deploy/runtime.lock deploy/local.lock | grep -c ==) packages, 190 MB"
	@$(PIP) --require-hashes --no-deps --no-build-isolation -r deploy/runtime.lock -r deploy/local.lock | $(PROGRESS)
	@echo "4/5 isonomy"
	@$(PIP) --no-deps --no-build-isolation -e . | $(PROGRESS)
	@echo "5/5 machine code for the loops that numba compiles"
	@$(BIN)/python deploy/warm-numba
	@# pip compiles itself, 7 MB that nothing uses any more.
	@find $(VENV)/lib -path '*/site-packages/pip/*' -name __pycache__ -prune -exec rm -rf {} +
	@touch $@

$(READY): $(RUNTIME) deploy/requirements.lock
	@echo "development and tests: $$(grep -c == deploy/requirements.lock) packages, with those that run"
	@$(PIP) --require-hashes --no-deps --no-build-isolation -r deploy/requirements.lock | $(PROGRESS)
	@# Now, not in a test, where a warning during the compilation of a third-party module is an error.
	@echo "    compiling modules"; $(BIN)/python -W ignore -m compileall -qq -j 2 -x '/(tests|pip)/' $(VENV)/lib || true
	@touch $@

.PHONY: install
install: $(READY) ## Make the virtual environment

.PHONY: fresh
fresh:
	@# numba's cache of a function does not notice changes of called functions: delete what is older than any source.
	@find streams -name '*.nb[ic]' -exec sh -c 'test -n "$$(find streams -name "*.py" -newer "$$1" | head -1)"' _ {} \; -delete

.PHONY: run
run: $(RUNTIME) fresh ## Run the stack, replay 1,670,250 real votes, simulate a silent removal; Ctrl-C stops it
	@$(BIN)/isonomy up --replay chatbot-arena-2024-08 --simulate silent-removal

.PHONY: test
test: $(READY) fresh ## Run every test, on the embedded broker
	@deploy/ensure-redis
	@deploy/ensure-page
	@deploy/ensure-chromium
	@deploy/ensure-prometheus
	@deploy/ensure-set schemathesis >/dev/null || true
	@# Once, before three do it at the same time.
	@$(BIN)/python deploy/warm-numba
	@# Three at a time: tests that start servers mostly wait (tests/conftest.py). They come first, as collected.
	@$(BIN)/python -m pytest -q -n 3 --no-loadscope-reorder $(ARGS)

.PHONY: test-kafka
test-kafka: $(READY) fresh ## Run the integration and crash tests on Apache Kafka (KAFKA=3.9.2: that version) and Valkey (Java 17, Maven needed)
	@deploy/ensure-redis
	@deploy/ensure-page
	@deploy/ensure-chromium
	@deploy/ensure-prometheus
	@$(BIN)/python deploy/warm-numba
	@ISONOMY_TEST_BROKER=kafka ISONOMY_KAFKA_VERSION=$(KAFKA) ISONOMY_TEST_REDIS=$${ISONOMY_TEST_REDIS:-valkey} $(BIN)/python -m pytest -q -n 3 --no-loadscope-reorder -m "integration or crash" tests/crash tests/integration $(ARGS)

.PHONY: fuzz
fuzz: $(READY) fresh ## Try a million inputs on each parser of untrusted data (ARGS='--target votes --inputs 1000')
	@$(BIN)/python deploy/warm-numba
	@$(BIN)/python -m tests.fuzz --inputs 1000000 --processes 2 $(ARGS)

.PHONY: mutants
mutants: $(READY) fresh ## Change one thing at a time and list what no unit test notices (ARGS='--package streams/ratings --count 10')
	@$(BIN)/python -m tests.mutants $(ARGS)

.PHONY: doors
doors: $(READY) fresh ## Test gateway and board against their OpenAPI documents with thousands of requests
	@deploy/ensure-redis
	@deploy/ensure-set schemathesis >/dev/null
	@ISONOMY_TEST_EXAMPLES=$${ISONOMY_TEST_EXAMPLES:-500} $(BIN)/python -m pytest -q tests/integration/test_openapi.py $(ARGS)

.PHONY: models
models: ## Explore the models of intake, folds and herald to their bounds (Rust's cargo needed)
	@command -v cargo >/dev/null || { echo "cargo is missing: Rust 1.82 or newer is needed"; exit 1; }
	@CARGO_TARGET_DIR=$(CURDIR)/.isonomy/models cargo run --release --quiet --manifest-path tests/models/Cargo.toml -- $(ARGS)

.PHONY: reliability
reliability: $(READY) fresh ## Break three brokers, Redis and every process for hours, and write docs/reliability.md
	@deploy/ensure-redis
	@ISONOMY_TEST_BROKER=kafka3 $(BIN)/python -m tests.crash.reliability --write docs/reliability.md $(ARGS)

.PHONY: lint
lint: $(READY) ## Check style, types, import rules and generated documents
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python docs/contracts/generate.py --check
	@$(BIN)/python -m deploy.licences

.PHONY: docs
docs: $(READY) ## Make the documentation's site in .isonomy/site; a warning is an error
	@docs=$$(deploy/ensure-set docs) && $$docs/bin/python -m deploy.licences docs && \
	   $$docs/bin/python -m sphinx --quiet --fail-on-warning -b html -c docs/site -d .isonomy/site-pages . .isonomy/site
	@echo "documentation: .isonomy/site/index.html"

.PHONY: notebooks
notebooks: $(READY) ## Run docs/notebooks and store their outputs
	@docs=$$(deploy/ensure-set docs) && PYTHONPATH=$(CURDIR) $$docs/bin/python docs/notebooks/execute.py

.PHONY: contracts
contracts: $(READY) ## Write docs/contracts from the code
	@$(BIN)/python docs/contracts/generate.py

.PHONY: dashboards
dashboards: $(READY) ## Write the Grafana dashboards and the Prometheus rules from Python
	@$(BIN)/python -m deploy.grafana.write
	@$(BIN)/python -m deploy.prometheus.write

.PHONY: bench
bench: $(READY) fresh ## Measure, peers side by side, and write docs/benchmarks.md
	@deploy/ensure-redis
	@$(BIN)/python -m tests.bench --write docs/benchmarks.md $(ARGS)

.PHONY: planted
planted: $(READY) fresh ## Plant every defect in a simulated arena, and write docs/methods/planted.md (ARGS='--runs 20')
	@$(BIN)/python -m tests.planted --write docs/methods/planted.md $(ARGS)

.PHONY: lock
lock: ## Write the locks from pyproject.toml (ARGS=--keep: with the locked versions)
	@deploy/lock $(ARGS)

.PHONY: audit-deps
audit-deps: ## Check the locked packages for known vulnerabilities (needs the network)
	@tools=$$(deploy/ensure-set tools) && failed=0 && for lock in deploy/*.lock; do echo "$$lock:"; \
	   $$tools/bin/pip-audit --strict --require-hashes --disable-pip -r $$lock $(ARGS) || failed=1; done; exit $$failed

.PHONY: sbom
sbom: $(READY) ## List the shipped packages in .isonomy/sbom.cdx.json, as the image's build does
	@rm -rf .isonomy/wheels && $(PYTHON) -m venv --clear --without-pip .isonomy/shipped
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --require-hashes --no-deps --no-build-isolation --wheel-dir .isonomy/wheels -r deploy/runtime.lock
	@$(BIN)/python -m pip --python .isonomy/shipped/bin/python install --quiet --disable-pip-version-check --no-deps --no-index .isonomy/wheels/*.whl
	@PATH="$$(deploy/ensure-set tools)/bin:$$PATH" deploy/sbom .isonomy/shipped/bin/python .isonomy/sbom.cdx.json

.PHONY: image
image: ## Build the image isonomy:VERSION, from the bases in deploy/images.env if `deploy/pin-images` wrote one
	@docker build -f deploy/Dockerfile -t isonomy:$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml) \
	   $$(sed -n 's/^\(BUILD\|RUN\)_IMAGE=/--build-arg &/p' deploy/images.env 2>/dev/null) .

.PHONY: clean
clean: ## Remove everything that make has made
	@rm -rf $(VENV) .isonomy .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

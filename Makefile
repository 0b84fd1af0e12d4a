# Outlay. `make demo` shows it, `make test` proves it; both need Python 3.11+ and nothing else.
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
PROJECTS := $(wildcard pyproject.toml */pyproject.toml services/*/pyproject.toml)
# How many processes share the unit tests, and how many the tests that need a stack, each with its own (4 GB). 0: no others.
WORKERS ?= 2
STACKS ?= 2
CODE := outlay sdk schemas kit reports services tests benchmarks examples

# uv trusts the certificates that the system trusts, as pip does: a company's proxy has an authority of its own.
export UV_SYSTEM_CERTS ?= 1

# The tests start hundreds of processes: each starts in half the time if Python keeps what it compiled.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo up down test browser check fmt unit bench chaos containers clean schemas docs fuzz sbom audit

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: .venv/.synced ## make the environment in .venv, exactly as locked

.venv/.synced: uv.lock $(PROJECTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Outlay needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "No virtual environment could be made. On Debian or Ubuntu: apt install python3-venv"; rm -rf .venv; exit 1; }
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) || { echo "pip could not install uv; the error above says why. Common causes: no network, a proxy that is not named (HTTPS_PROXY), a package index of your own (PIP_INDEX_URL)."; exit 1; }
	@echo "Installing what uv.lock names (about 1.2 GB on disk, once) ..."
	@$(BIN)/uv sync --frozen --all-packages --quiet || { echo "Packages could not be installed; the error above says why. Common causes: no network, a proxy that is not named (HTTPS_PROXY), a package index of your own (UV_DEFAULT_INDEX), a certificate authority that the system does not trust, less than 2 GB free on this disk."; exit 1; }
	@touch $@

demo: setup ## bring the system up, stream a real trace through it, show it live
	@$(BIN)/outlay demo

up: setup ## start Kafka, ClickHouse and all services in the background
	@$(BIN)/outlay up

down: setup ## stop them
	@$(BIN)/outlay down

fmt: setup ## format the code
	@$(BIN)/ruff format $(CODE)
	@$(BIN)/ruff check --fix $(CODE)

check: setup ## format, lint, types, import rules, unit and contract tests, audit: a minute or two
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports
	.ci/prose
	$(BIN)/codespell README.md CONTRIBUTING.md docs deploy outlay sdk schemas kit reports services benchmarks examples
	$(BIN)/pytest tests/unit tests/contract -q -m "not stack" -n $(WORKERS) --dist loadfile --durations 15 --durations-min 5
	.ci/audit

define find_chromium
{ test -n "$$OUTLAY_CHROMIUM" || command -v chromium || command -v chromium-browser || command -v google-chrome || { \
  test "$$(id -u)" = 0 && command -v apt-get >/dev/null && echo "Installing Chromium from Debian (once) ..." && apt-get update -qq \
  && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-inter fonts-dejavu-core >/dev/null && command -v chromium; \
} || { echo "No Chromium. Install it (Debian, Ubuntu: apt install chromium), or name one: OUTLAY_CHROMIUM=PATH"; false; }; }
endef

define find_prometheus
command -v prometheus >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && echo "Installing Prometheus from Debian (once) ..." \
  && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus >/dev/null; } \
  || echo "No Prometheus: one test of the money metrics is left out. Install it (Debian, Ubuntu: apt install prometheus)"
endef

browser: ## find Chromium for the browser tests; on Debian, as root, install it
	@$(find_chromium)

test: check ## everything that runs here, on the real Kafka and the real ClickHouse engine
	@$(find_prometheus)
	@if $(find_chromium); then chosen="stack and not chaos"; else chosen="stack and not chaos and not browser"; \
	  echo "The tests of the console's pages are left out of this run."; fi; \
	  set -x; $(BIN)/pytest tests --ignore tests/unit -q -m "$$chosen" -n $(STACKS) --dist loadfile --durations 40 --durations-min 5

chaos: setup ## every promise of docs/guarantees.md, the long tests too, with a table of what was survived
	$(BIN)/pytest tests -q --promises --timeout 1800 -n $(STACKS) --dist loadfile

CONTAINERS ?= $(CURDIR)/dist/containers
containers: setup ## docker-compose.yml in a Docker engine: up, alert, kill -9, down and up, the chart's pods, testcontainers
	@tests/containers/run $(CONTAINERS)

bench: setup ## measure the pipeline on this machine
	$(BIN)/python benchmarks/pipeline.py

schemas: setup ## write schemas/json and schemas/asyncapi.json from the code
	$(BIN)/python -m outlay_schemas.documents schemas

docs: setup ## build docs/ as a site in dist/docs; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --site-dir dist/docs

FUZZ_RUNS ?= 1000000
fuzz: setup ## the endpoints against generated requests, the decoders against a million inputs
	$(BIN)/uv sync --frozen --all-packages --group fuzz --quiet
	$(BIN)/pytest tests/fuzz/endpoints.py -q -W 'ignore:Skipped test cases:UserWarning'
	@seeds=$$(mktemp -d) && $(BIN)/python tests/fuzz/decoders.py -runs=$(FUZZ_RUNS) -timeout=10 -max_len=8192 -rss_limit_mb=2048 -artifact_prefix=$$seeds/ $$seeds; code=$$?; test $$code -eq 0 && rm -rf $$seeds; exit $$code

sbom: setup ## write dist/outlay.cdx.json: every package that Outlay installs, with its hashes (CycloneDX)
	@mkdir -p dist && $(BIN)/uv export --frozen --all-packages --no-dev --format cyclonedx1.5 --preview-features sbom-export --quiet --output-file dist/outlay.cdx.json

audit: setup ## ask the advisory database (osv.dev, needs the network) about every package of uv.lock
	.ci/audit --strict

clean: ## remove the environment and caches of tools
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

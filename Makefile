# Everything a developer or a newcomer runs. Works from any directory: make -C path/to/steiner demo
SHELL := /bin/bash
.DEFAULT_GOAL := help
ROOT := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
VENV ?= $(ROOT)/.venv
PYTHON ?=
ARGS ?=
WORKERS ?= 2
BIN := $(VENV)/bin
export VENV PYTHON

.PHONY: help install install-tests demo test test-fast check-bare check format train-smoke bench constraints sbom clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(ROOT)/Makefile

install: ## create .venv with the pinned packages (the targets below do it first; a second run is instant)
	@$(ROOT)/scripts/install

install-tests: ## the same, and from apt the programs that the tests run (as root or through sudo)
	@$(ROOT)/scripts/install --tests

demo: install ## start the server on models/steiner-tiny and watch it solve a held-out problem; MODEL=smollm2 fetches that one
	@cd $(ROOT) && $(if $(filter smollm2,$(MODEL)),$(BIN)/steiner fetch smollm2 &&) $(BIN)/steiner demo $(if $(MODEL),--model $(MODEL)) $(ARGS)

test: install-tests ## run the tests, in two processes; ARGS='-k parser' narrows them, WORKERS=0 makes it one process
	@cd $(ROOT) && { $(BIN)/python -m pytest -n $(WORKERS) --no-loadscope-reorder $(ARGS); status=$$?; echo $$status > $(VENV)/.pytest-status; exit $$status; }

test-fast: install-tests ## of the tests those that need no engine, no browser and no time: two minutes
	@cd $(ROOT) && $(BIN)/python -m pytest -n $(WORKERS) -m 'not e2e and not slow' --ignore tests/e2e --ignore tests/clients --ignore tests/deploy $(ARGS)

check-bare: ## run `make test`, narrowed, in a minimal Debian made for it (root and debootstrap; a quarter of an hour)
	@$(ROOT)/scripts/check-bare

check: install ## ruff, mypy and the import contracts
	@cd $(ROOT) && $(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

format: install ## rewrite the sources as ruff wants them
	@cd $(ROOT) && $(BIN)/ruff check --fix . && $(BIN)/ruff format .

train-smoke: install ## run every training stage on a nano model, in minutes, into runs/
	@cd $(ROOT) && $(BIN)/steiner train training/recipes/smoke.yaml $(ARGS)

bench: install ## tokens per second of the server beside vLLM's own, on the same weights
	@cd $(ROOT) && $(BIN)/python benchmarks/serve.py $(ARGS)

.PHONY: docs pictures
docs: install ## build the documentation site into build/site; a broken link or any other warning ends it
	@cd $(ROOT) && NO_MKDOCS_2_WARNING=1 $(BIN)/properdocs build --strict $(ARGS)

pictures: install ## make the pictures of README and docs from the running system; look at each before you commit it
	@cd $(ROOT) && $(BIN)/python scripts/make_pictures.py $(ARGS)

constraints: install ## write constraints.txt and deploy/requirements-cpu.txt from the versions that .venv has now
	@cd $(ROOT) && $(BIN)/python scripts/renew_constraints.py > constraints.new && mv constraints.new constraints.txt
	@cd $(ROOT) && $(BIN)/python scripts/renew_constraints.py --image > constraints.new && mv constraints.new deploy/requirements-cpu.txt

sbom: install ## write CycloneDX bills of materials into build/: of the CPU image, the GPU packages, and .venv with licences
	@cd $(ROOT) && mkdir -p build && $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible -o build/image-cpu.cdx.json deploy/requirements-cpu.txt
	@cd $(ROOT) && $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible -o build/packages-gpu.cdx.json constraints-gpu.txt
	@cd $(ROOT) && $(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o build/environment.cdx.json $(BIN)/python

clean: ## remove .venv and the caches
	@rm -rf $(ROOT)/build $(ROOT)/tests/clients/ai_sdk/node_modules $(VENV) $(ROOT)/.mypy_cache $(ROOT)/.ruff_cache $(ROOT)/.pytest_cache $(ROOT)/.hypothesis

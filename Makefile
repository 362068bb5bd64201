# Paths may hold spaces: recipes use paths relative to this folder, and call .venv's programs through its Python.
MAKEFLAGS += --no-print-directory
PYTHON := .venv/bin/python
N ?= 100000

.DEFAULT_GOAL := help
.PHONY: help setup run test test-external bench lint format lock upgrade openapi third-party clean

help: ## List these commands
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1|/p' Makefile | while IFS='|' read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done

setup: ## Install what running and developing need (run and test do it by themselves)
	@bin/setup --dev

run: ## Start the portal with all it needs, and print its address; Ctrl-C stops it
	@bin/run

test: ## Run everything from lint to browser tests, on private servers
	@bin/test

test-external: ## Run the tests on the servers given by DATABASE_URL and REDIS_URL
	@test -n "$$DATABASE_URL" && test -n "$$REDIS_URL" || { echo 'Set DATABASE_URL and REDIS_URL to servers that tests may write to.' >&2; exit 1; }
	@bin/test --no-lint

bench: ## Measure speed against the database's own: make bench N=100000
	@bin/setup --dev
	@$(PYTHON) -m bench --n "$(N)" $(ARGS)

lint: ## Check format, style, types, import rules, templates, texts and locks
	@bin/lint

format: ## Format code and templates, and repair what can be repaired
	@bin/lint --fix

lock: ## Write locks/ anew after a change of pyproject.toml
	@bin/setup --dev
	@$(PYTHON) bin/lock.py

upgrade: ## Write locks/ anew with the newest versions that pyproject.toml allows
	@bin/setup --dev
	@$(PYTHON) bin/lock.py --upgrade

openapi: ## Write docs/openapi.json anew from the routes of the API
	@bin/setup --dev
	@$(PYTHON) bin/openapi.py

third-party: ## Write THIRD_PARTY.md anew from the locks
	@bin/setup --dev
	@$(PYTHON) bin/third_party.py

clean: ## Remove what can be made again (.venv, caches, packages), never the data folder .portal
	@rm -rf .venv node_modules portal/static/vendor tests/browser/vendor .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage htmlcov dist
	@find . -name __pycache__ -type d -not -path './.portal/*' -prune -exec rm -rf {} +

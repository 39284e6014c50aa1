# The table of contents. Every target makes .venv first when it is missing (`make setup`).
.DEFAULT_GOAL := help
.PHONY: help setup lock lint test test-all demo train evaluate convert serve gateway up down images bench cert
SHELL := /bin/bash
PY := .venv/bin/python

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.ready ## .venv with every service installed (Python 3.11-3.13, nothing else needed)

.venv/.ready: requirements-dev.lock $(wildcard services/*/pyproject.toml) scripts/setup.sh
	scripts/setup.sh

lock: setup ## pin every dependency anew
	scripts/lock.sh

lint: setup ## ruff and mypy
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

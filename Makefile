# The table of contents. Targets that need .venv make it first when it is missing (`make setup`).
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all lint lock train evaluate convert serve gateway cert up down images bench
SHELL := /bin/bash

PYTHON_TESTS := .venv/bin/python -m pytest
# How many processes `make test` runs in; each needs a core and up to 4 GB. A file's tests stay in one of them, and
# files begin in the order of their names: otherwise several would wait for the one training at the same time.
WORKERS ?= 2
# Left to `make test-all`: tests that need more than .venv, or many minutes.
SLOW := other_python or browser or containers or networks or gateway or training or converter or stream or demo

SEGSTACK := .venv/bin/segstack

# make train DATA=data/mine NAME=mymodel CONFIG=…; make convert MODEL=models_repo/mymodel
CONFIG ?= services/trainer/recipes/ddrnet23_slim.yaml
DATA ?= data/mine
NAME ?= $(basename $(notdir $(CONFIG)))
NOW := $(shell date +%Y%m%d-%H%M%S)
RUN ?= runs/$(NAME)-$(NOW)
MODEL ?= models_repo/$(NAME)
PRECISION ?= fp16
SERVING_PORT ?= 8500
# How `make serve` computes; an empty ENGINE= selects TensorFlow.
ENGINE ?= --engine=openvino --precision=auto

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.ready ## .venv with every service installed; needs only Python 3.11 to 3.13

.venv/.ready: requirements-dev.lock $(wildcard services/*/pyproject.toml) clients/pyproject.toml \
  services/contract/contract/version.py scripts/setup.sh
	scripts/setup.sh

demo: setup ## train, serve and show a small model in minutes, on http://localhost:8000 (ONESHOT=1: write the overlay and exit)
	@.venv/bin/python scripts/demo.py

test: setup ## the tests that need neither root nor Docker, in 6 minutes
	$(PYTHON_TESTS) -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not ($(SLOW))"

test-all: export SEGSTACK_NO_SKIPS := 1
test-all: ## all tests, as CI runs them: also other Pythons, Chromium, containers and the demo; a skip is a failure
	$(MAKE) test
	scripts/install-pythons.sh
	scripts/install-browser.sh
	$(PYTHON_TESTS) -m "$(SLOW)"

lint: setup ## ruff, mypy, and which module may import which
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/lint-imports

lock: setup ## update every lock file
	scripts/lock.sh

train: ## DATA=… NAME=… CONFIG=… SET="epochs=20 …": train a network and publish it; RESUME=runs/…: continue a run
	scripts/run.sh train $(if $(RESUME),--resume '$(RESUME)','$(DATA)' --config '$(CONFIG)' --run '$(RUN)') \
	  --publish '$(NAME)' $(SET:%=--set %)

evaluate: setup ## MODEL=… DATA=…: measure a published model on held-out images (OPTIONS="--report …")
	$(SEGSTACK) evaluate '$(DATA)' --model '$(MODEL)' $(OPTIONS)

convert: ## MODEL=… PRECISION=… DATA=…: convert a published model with TF-TRT, compare, publish (DRY=1: no GPU)
	scripts/run.sh convert '$(MODEL)' --precision '$(PRECISION)' $(if $(DRY),--dry-run) \
	  $(if $(wildcard $(DATA)/dataset.json),$(if $(filter int8,$(PRECISION)),--calibration-data,--images) '$(DATA)')

serve: setup ## embedded serving on gRPC port 8500, without Docker
	$(SEGSTACK) serve --port=$(SERVING_PORT) --model_config_file=models_repo/models.config --models_root=models_repo \
	  --model_config_file_poll_wait_seconds=2 --max_num_load_retries=1 --load_retry_interval_micros=5000000 $(ENGINE)

gateway: setup ## the gateway on http://localhost:8000, without Docker
	GATEWAY_MODELS_CONFIG=models_repo/models.config $(SEGSTACK) gateway

cert: setup ## NAMES="…": a certificate for a home network; browsers give a page their camera only over HTTPS
	$(SEGSTACK) gateway cert --output certs $(NAMES)

up: ## serving and gateway in containers
	scripts/run.sh compose up --build serving gateway

down: ## stop and remove the containers
	scripts/run.sh compose --profile '*' down

images: ## build every image
	scripts/run.sh compose --profile tools build

bench: setup ## measure every performance claim on this machine
	.venv/bin/uv pip install --quiet --no-deps --require-hashes -r benchmarks/requirements.lock
	missed=0; for claim in gateway_footprint gateway gateway_overload serving serving_memory inference input_pipeline \
	  input_memory train_step mixed_precision convergence stream; do .venv/bin/python -m benchmarks.$$claim || missed=1; done; exit $$missed

# SPDX-License-Identifier: Apache-2.0
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup server demo test test-slow lint docs clean
export PYTHON PIP_ARGS

# Every recipe but setup's runs in the environment that `source scripts/activate` gives.
IN_VENV := source scripts/activate &&

help:  ## what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

SETUP_PYTHON := $(or $(PYTHON),python3)

setup:  ## everything into .venv and install/ (PYTHON=python3.12, PIP_ARGS='--index-url ...')
	@command -v $(SETUP_PYTHON) >/dev/null || { echo "make setup: there is no $(SETUP_PYTHON) on the PATH. Install Python 3.12 (apt install python3.12 python3.12-venv python3.12-dev) or name yours: make setup PYTHON=..." >&2; exit 1; }
	@PYTHONPATH=scripts$${PYTHONPATH:+:$$PYTHONPATH} PYTHONDONTWRITEBYTECODE=1 $(SETUP_PYTHON) -m ros_setup

server: setup  ## Triton for `dens3r serve`, 400 MB, into .venv-server beside .venv
	@$(IN_VENV) python scripts/make_server_venv .venv-server $(PIP_ARGS)

demo: setup  ## a minute's walk through camera, DDS and node, with a picture at the end (ARGS='--source DIR')
	@$(IN_VENV) dens3r demo $(ARGS)

# Files of tests are spread over so many processes; DDS domains keep them apart.
JOBS ?= 2

test: setup  ## the test suite (ARGS='test/geometry -k sim3', JOBS=1 for one process)
	@$(IN_VENV) python -m pytest $(if $(filter-out 1,$(JOBS)),-n $(JOBS) --dist loadfile) $(ARGS)

test-slow: setup  ## the tests that build, install, load full-size networks or follow long sequences
	@$(IN_VENV) python -m pytest $(if $(filter-out 1,$(JOBS)),-n $(JOBS) --dist loadfile) -m "fullsize or slow" $(ARGS)

lint: setup  ## ruff, mypy, codespell
	@$(IN_VENV) ruff check . && ruff format --check . && mypy && codespell

docs: setup  ## the documentation as a site in build/docs; warnings are errors
	@$(IN_VENV) python -m pip install -q --disable-pip-version-check -r requirements/docs.lock
	@$(IN_VENV) python docs/tools/reference.py --check
	@$(IN_VENV) python -m sphinx -q -n -W --keep-going -b html docs build/docs
	@echo "build/docs/index.html"

clean:  ## what was built; .venv with its downloads stays (rm -r .venv .venv-server removes that too)
	rm -rf build install log dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

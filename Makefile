# All that this repository can do. It needs make and Python 3.11 or newer; the rest it sets up in .venv.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

# The first interpreter that is new enough; name another with `make PYTHON=/path/to/python3 …`.
PYTHON ?= $(shell for candidate in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$candidate" && break; done)

.DEFAULT_GOAL := help
.PHONY: help run test lint bench screenshots lock

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

run: $(INSTALLED)  ## start Mailkeep on ./var, with a first customer, and say how to send it a mail
	@exec $(BIN)/mailkeep serve --welcome

test: $(INSTALLED)  ## all tests, two at a time; ARGS="-k word" passes options to pytest, "-n 0" one at a time
	@tests/services/install.sh
	$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

lint: $(INSTALLED)  ## format, style, types, and who may import whom
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(INSTALLED)  ## messages a second against a server that discards them; writes bench/RESULTS.md
	PYTHONPATH=tests $(BIN)/python -m bench $(ARGS)

screenshots: $(INSTALLED)  ## every page in both themes, at two widths, into screenshots/
	@tests/services/install.sh
	PYTHONPATH=tests $(BIN)/python -m web.screenshots

$(INSTALLED): requirements.lock pyproject.toml
	@PYTHON="$(PYTHON)" tests/services/venv.sh $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

# Locked under the oldest Python that we support: what it needs is enough for the newer ones.
lock: $(INSTALLED)  ## resolve pyproject.toml into requirements.lock
	$(BIN)/python -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install --quiet --disable-pip-version-check pip-tools
	CUSTOM_COMPILE_COMMAND="make lock" $(VENV)/lock/bin/pip-compile --quiet --upgrade --generate-hashes \
		--extra dev --strip-extras --allow-unsafe \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options \
		--output-file requirements.lock pyproject.toml
	@! grep -nE '://|^-|file:|@ ' requirements.lock || { echo "requirements.lock holds an address or a path"; exit 1; }

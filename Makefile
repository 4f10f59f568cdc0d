# Everything a developer types. `make` alone lists it.

PYTHON ?= python3
VENV := .venv
ARGS ?=
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
READY := $(VENV)/.ready
LINT_READY := $(VENV)/.lint-ready
DOCS_READY := $(VENV)/.docs-ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format bench docs pictures clean

help:  ## List the targets
	@grep -E '^[a-z]+:.*## ' Makefile | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(READY) $(LINT_READY)  ## Create .venv with the package, the test tools and the linters

demo: $(READY)  ## Analyse a built-in sample: napari with a display, demo-output/ without one
	@scripts/display-packages.sh --unless-display || echo "Going on without a picture of the window."
	@$(BIN)/napari-vae demo $(ARGS)

# What is imported is compiled once, for all processes of the tests, also where the environment asks for no such files.
test: export PYTHONDONTWRITEBYTECODE :=

# Two processes of one thread each: small models train faster so than one after the other on two threads.
test: $(READY)  ## Run the suite but for its slow tests (ARGS="-k atoms" for a part, "-n 0 --pdb" to debug, "-m slow")
	@scripts/display-packages.sh
	@OMP_NUM_THREADS=1 scripts/with-display.sh $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow" $(ARGS)

lint: $(LINT_READY)  ## Check style (ruff) and types (mypy on the Qt-free code)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(LINT_READY)  ## Let ruff sort the imports and lay out the code
	$(BIN)/ruff check --select I --fix .
	$(BIN)/ruff format .

bench: $(READY)  ## Run the slow tests and every script in benchmarks/ (ARGS=benchmarks/cards.py for one script)
	@scripts/display-packages.sh
	@$(if $(ARGS),,scripts/with-display.sh $(BIN)/python -m pytest -m slow)
	@set -e; for script in $(or $(ARGS),$(sort $(filter-out %_data.py %/mutants.py,$(wildcard benchmarks/[a-z]*.py benchmarks/dkl/[a-z]*.py)))); do \
		echo "== $$script"; scripts/with-display.sh $(BIN)/python "$$script"; done

docs: $(DOCS_READY) pictures  ## Take the pictures anew and build the documentation into docs/_build/html
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

pictures: $(READY)  ## Take the pictures of the window in docs/images anew (some minutes)
	@scripts/display-packages.sh
	@set -e; shoot="scripts/with-display.sh $(BIN)/python docs/screenshots"; \
		$$shoot/tour.py docs/images; \
		$$shoot/window.py dark docs/images/how-to-dark.png; \
		$$shoot/window.py few docs/images/how-to-too-few.png --sample perovskite; \
		$$shoot/window.py labels docs/images/how-to-labels.png --sample perovskite --epochs -1; \
		$$shoot/window.py instrument docs/images/how-to-next-point.png --sample perovskite; \
		$$shoot/window.py learning docs/images/active-learning.png --sample perovskite; \
		$$shoot/window.py angles docs/images/angles.png --sample DyScO3 --epochs 20; \
		$$shoot/strip.py docs/images

clean:  ## Remove what was built or cached (not .venv)
	rm -rf build dist demo-output docs/_build .mypy_cache .ruff_cache .pytest_cache
	find src tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps make the second run quick and independent of the network.
$(READY): pyproject.toml constraints.txt scripts/setup-venv.sh
	@PYTHON="$(PYTHON)" scripts/setup-venv.sh "$(VENV)" "$(BIN)"
	@touch $@

$(LINT_READY): $(READY)
	$(BIN)/python -m pip install --quiet -c constraints.txt --group dev
	@touch $@

$(DOCS_READY): $(READY)
	$(BIN)/python -m pip install --quiet -c constraints.txt --group docs
	@touch $@

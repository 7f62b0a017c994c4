# Everything runs in .venv, which the first target that needs it makes; nothing needs root but `samples` and `netfilter`.
# Written for GNU make 3.81 (macOS has it) and POSIX tools; run on Debian, not on macOS.
#
#   make PYTHON=/path/to/python3 TARGET     makes .venv with that Python

BIN = .venv/bin
PYTEST = $(BIN)/python -m pytest
CODE = pcaps conntrack firewall tests benchmarks docs

# What each of the two runs of the suite takes; pyproject.toml says what the marks mean.
ALL = -m "not root"
INTERPRETED = -m "not root and not slow and not compiled_only and not browser"

SECONDS = 60

# The stamps say what .venv holds; pip runs again only after pyproject.toml has changed.
INSTALLED = .venv/.installed
INSTALLED_LAB = .venv/.installed-lab
INSTALLED_DEV = .venv/.installed-dev

.PHONY: help demo lab test lint format docs update-gold netfilter bench samples coverage fuzz clean distclean

help:  ## print this list (the default)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(INSTALLED)  ## replay a recorded capture through security groups
	$(BIN)/eniwall replay pcaps/samples/web-http.pcap --rules pcaps/samples/web-http.yaml

lab: $(INSTALLED_LAB)  ## open lesson 1 in a browser; `eniwall lab` with captures of your own
	$(BIN)/eniwall lab --lesson 1

test: $(INSTALLED_DEV)  ## run all tests compiled, then interpreted what may differ
	ENIWALL_ENGINE=compiled $(PYTEST) $(ALL)
	ENIWALL_ENGINE=interpreted $(PYTEST) $(INTERPRETED)

lint: $(INSTALLED_DEV)  ## check style, formatting, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(INSTALLED_DEV)  ## format the code and mend what ruff can mend
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

docs: $(INSTALLED_DEV)  ## make the generated documents again
	$(BIN)/python -m docs.generate

update-gold: $(INSTALLED_DEV)  ## accept the outputs that golden files are compared with; look at git diff
	ENIWALL_ENGINE=interpreted $(PYTEST) --update-gold -m "not root and not slow and not browser" -k gold

netfilter: $(INSTALLED_DEV)  ## compare 200,000 random packets with the running kernel (root, Linux)
	$(BIN)/python -m tests.netfilter.run --packets 200000

bench: $(INSTALLED_DEV)  ## measure packets a second beside tcpdump and others, and write docs/performance-table.md and docs/plots
	ENIWALL_ENGINE=compiled $(BIN)/python -m benchmarks

samples:  ## record pcaps/samples again from real programs (root, Debian)
	python3 pcaps/samples/record.py

coverage: $(INSTALLED_DEV)  ## measure line and branch coverage, interpreted; details in htmlcov/
	rm -f .coverage .coverage.*
	ENIWALL_ENGINE=interpreted $(BIN)/coverage run -m pytest $(INTERPRETED)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage html --quiet
	$(BIN)/coverage report

fuzz: $(INSTALLED_DEV)  ## feed mutated bytes to all readers, SECONDS each (60)
	for target in pcap pcapng decode tunnel; do $(BIN)/python -m tests.fuzz --target $$target --seconds $(SECONDS) || exit 1; done

clean:  ## remove what tools and tests left, but .venv
	rm -rf build dist htmlcov .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	rm -rf .hypothesis .benchmarks
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean  ## remove .venv too
	rm -rf .venv

$(INSTALLED): pyproject.toml
	@sh tools/install.sh
	@touch $@

$(INSTALLED_LAB): pyproject.toml
	@sh tools/install.sh lab
	@touch $(INSTALLED) $@

$(INSTALLED_DEV): pyproject.toml
	@sh tools/install.sh dev
	@touch $(INSTALLED) $(INSTALLED_LAB) $@

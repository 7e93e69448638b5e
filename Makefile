# make run    makes the CA, the server certificate, a user and her bundle, and runs the VPN server;
#             HOST=vpn.example.com PORT=443 USER=alice say for what, with whom
# make test   checks style and types and runs the whole test suite
# Both set up .venv, and as root install the Debian packages they need.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# The environment often has a HOST or USER of its own: only the command line counts.
given = $(if $(filter command line,$(origin $(1))),$($(1)))
APT := DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes apt-get -o DPkg::Lock::Timeout=300

.PHONY: run test lint clean

run: .venv/installed
	@if [ "$$(id -u)" = 0 ] && ! PATH=$$PATH:/usr/sbin command -v nft >/dev/null; then \
		echo "installing nftables"; \
		{ $(APT) update -qq && $(APT) install -qq -y --no-install-recommends nftables; } >/dev/null || \
			echo "nftables could not be installed; the server needs its program nft" >&2; \
	fi
	@exec $(BIN)/sstpca quickstart $(call given,HOST) \
		$(if $(call given,PORT),--port $(call given,PORT)) \
		$(if $(call given,USER),--user '$(call given,USER)')

test: lint
	$(BIN)/pytest -n auto --dist loadfile

lint: .venv/ready-to-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	@# mypy has to see server/ and templates/ under their installed names
	@rm -rf .venv/types && mkdir -p .venv/types/sstpca && \
		ln -s $(CURDIR)/sstpca/* $(CURDIR)/server $(CURDIR)/templates .venv/types/sstpca/ && \
		ln -s $(CURDIR)/tests .venv/types/tests
	cd .venv/types && ../bin/mypy --config-file $(CURDIR)/pyproject.toml -p sstpca -p tests

clean:
	rm -rf .venv build *.egg-info

.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "sstpca needs Python 3.11 or later: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
		{ echo "the Python module venv is missing: apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || \
		{ echo ".venv cannot be made: is this folder yours to write?" >&2; exit 1; }
	@echo "installing sstpca into .venv"
	@$(PIP) install -qq --upgrade pip
	@$(PIP) install -qq --editable .
	@touch $@

.venv/ready-to-test: .venv/installed
	@echo "installing what the tests need into .venv"
	@$(PIP) install -qq --group dev
	@touch $@

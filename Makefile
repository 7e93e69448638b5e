# make run    makes the CA, the server certificate, a user and her bundle, and runs the VPN server;
#             HOST=vpn.example.com PORT=443 USER=alice say for what, with whom
# make install   sets up the program .venv/bin/sstpca, and makes and runs nothing
# make test   checks style and types and runs the whole test suite
# make bench  measures the server's speed, in less than 8 minutes, as root; QUICK=1: in less than 2
# make fuzz   tries all parsers and whole sessions with inputs made for it, for two minutes; SECONDS=3600: for an hour; SEED=1: the
#             same ones again
# All set up .venv, and as root install the Debian packages they need.
#
# make dist   builds sdist and wheel into dist/, with a manual page for each command
# make deb    builds a Debian package of the wheel, for Debian's Python of the same version as .venv's
#
# For developers:
# make lock          renews what they install, within the ranges of pyproject.toml
# make test-newest   the suite with the newest releases inside those ranges, locked or not
# make test-lowest   the suite with the lowest releases of what pyproject.toml names

# the Python that .venv was made with, if it is still there: root's and a user's may differ
ifeq ($(origin PYTHON),undefined)
PYTHON := $(shell made=$$(sed -n 's/^executable = //p' .venv/pyvenv.cfg 2>/dev/null); \
	[ -x "$$made" ] && echo "$$made" || echo python3)
endif
BIN := .venv/bin
# The environment often has a HOST or USER of its own: only the command line counts. What it gives
# reaches the shell as a variable, so that no sign in it means anything to a shell.
given = $(if $(filter command line,$(origin $(1))),$(2))
APT := DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes apt-get -o DPkg::Lock::Timeout=300
# as root, where there is apt-get: installs the package $(1); its own words only when it fails
apt = [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && echo "installing $(1)" && \
	{ $(APT) update -qq && $(APT) install -qq -y --no-install-recommends $(1); } >/dev/null

.PHONY: run install dist deb test bench fuzz fuzz-tools lint lock test-newest test-lowest clean python program

run: program
	@set -f; exec $(BIN)/python -m sstpca quickstart $(call given,HOST,$$HOST) \
		$(call given,PORT,--port "$$PORT") $(call given,USER,--user "$$USER")

install: program
	@echo "the program is $$PWD/$(BIN)/sstpca"

program: python
	@"$(PYTHON)" install/environment.py run
	@PATH=$$PATH:/usr/sbin command -v nft >/dev/null || [ "$$(id -u)" != 0 ] || { $(call apt,nftables); } || \
		echo "nftables could not be installed; the server needs its program nft" >&2

dist deb: program
	@$(BIN)/python install/distribution.py $@

test: lint
	$(BIN)/python -m pytest -n auto --dist loadfile --cov --cov-report=

bench: program
	@"$(PYTHON)" install/environment.py test
	@"$(PYTHON)" install/environment.py bench
	@command -v iperf3 >/dev/null || [ "$$(id -u)" != 0 ] || { $(call apt,iperf3); } || true
	@$(BIN)/python -m tests.bench $(if $(QUICK),--quick)

fuzz-tools: program
	@"$(PYTHON)" install/environment.py test
	@"$(PYTHON)" install/environment.py fuzz

fuzz: fuzz-tools
	$(BIN)/python -m tests.fuzz --seconds $(or $(call given,SECONDS,"$$SECONDS"),120)$(call given,SEED, --seed "$$SEED")

lint: python
	@"$(PYTHON)" install/environment.py test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	@# mypy has to see server/ and templates/ under their installed names
	@{ rm -rf .venv/types && mkdir -p .venv/types/sstpca && \
		ln -s ../../install ../../tests .venv/types/ && \
		ln -s "$$PWD"/sstpca/* "$$PWD"/server "$$PWD"/templates .venv/types/sstpca/; }
	cd .venv/types && ../bin/python -m mypy --config-file ../../pyproject.toml -p sstpca -p tests -p install

lock: python
	@"$(PYTHON)" install/environment.py test
	$(BIN)/uv pip compile $(LOCKED) --group dev --output-file install/lock-test.txt
	$(BIN)/uv pip compile $(LOCKED) --constraint install/lock-test.txt --output-file install/lock-run.txt
	$(BIN)/uv pip compile $(LOCKED) --group bench --constraint install/lock-test.txt \
		--output-file install/lock-bench.txt
	$(BIN)/uv pip compile $(LOCKED) --group fuzz --constraint install/lock-test.txt \
		--output-file install/lock-fuzz.txt

# for every system and Python, with names, versions and hashes alone: no index is named
LOCKED := pyproject.toml --group install --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-annotate --custom-compile-command 'make lock'

test-newest test-lowest: test-%: python
	@"$(PYTHON)" install/environment.py test
	"$(PYTHON)" -m venv --clear .venv-$*
	$(BIN)/uv pip compile pyproject.toml --group install --group dev --quiet --no-header --no-annotate \
		--resolution $(if $(filter newest,$*),highest,lowest-direct) --python .venv-$*/bin/python \
		--output-file .venv-$*/requirements.txt
	.venv-$*/bin/python -m pip install --quiet --requirement .venv-$*/requirements.txt
	.venv-$*/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	.venv-$*/bin/python -m pytest -n auto --dist loadfile

clean:
	rm -rf .venv .venv.lock .venv-newest .venv-lowest build dist *.egg-info

# a Python that can make .venv; Debian packs the module that makes it apart
python:
	@command -v "$(PYTHON)" >/dev/null && "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || \
		[ "$(PYTHON)" != python3 ] || { $(call apt,python3-venv); } || true
	@command -v "$(PYTHON)" >/dev/null || \
		{ echo "error: there is no $(PYTHON): install Python 3.11 or later, or name it: make PYTHON=..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: sstpca needs Python 3.11 or later: make PYTHON=python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "error: the Python module venv is missing: apt install python3-venv" >&2; exit 1; }

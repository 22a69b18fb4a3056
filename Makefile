# Two commands: `make run` shows Dexra at work, `make test` proves that it does. Both set themselves up.

PYTHON ?= python3
BOOTSTRAP = command -v $(PYTHON) >/dev/null || { echo "Dexra needs Python 3.11 or newer (Debian, Ubuntu: \
	apt install python3 python3-venv make)."; exit 1; }; $(PYTHON) dexra/bootstrap.py
PY = .venv/bin/python
# Runs a command on the embedded servers, or on those of DATABASE_URL and REDIS_URL.
SERVERS = $(PY) dexra/embedded.py "$(or $(DATA_DIR),.data)" --
# Servers of their own, which need not outlive a power cut.
PYTEST = DISPOSABLE_DATA=1 $(PY) dexra/embedded.py "$(or $(DATA_DIR),.data)/tests" -- $(PY) -m pytest
APPS = dexra inbox channels_meta webhooks

.PHONY: help run test check proof bench screenshots coverage schema words lock clean environment tools

help:
	@echo "make run      start Dexra: servers, web, workers (PORT=8000 DATA_DIR=.data)"
	@echo "make test     the test suite                    (ARGS='-k words' for a part of it)"
	@echo "make check    style, types, templates, import plan, migrations"
	@echo "make proof    the long tests: crashes, chaos, mutants"
	@echo "make bench    measure, and write docs/benchmarks.md"
	@echo "make screenshots  take the README's pictures anew, with the system's Chromium"
	@echo "make coverage  write docs/meta-coverage.md and the tables of docs/go-live.md anew"
	@echo "make schema   write docs/openapi.json anew"
	@echo "make words    gather what is to be translated into locale/"
	@echo "make lock     write requirements*.txt anew from pyproject.toml"
	@echo "make clean    remove the environment and caches; data stays in DATA_DIR"

# What `run` needs, and what everything else needs on top. Both return at once when it is there.
environment:
	@$(BOOTSTRAP) requirements.txt

tools:
	@$(BOOTSTRAP) requirements-dev.txt

run: environment
	@exec env MAKE_UP_SECRETS=1 $(PY) manage.py up

test: tools
	@$(PYTEST) -n auto --maxprocesses 4 -rs -m "not proof" $(ARGS)

proof: tools
	@$(PYTEST) -m proof $(ARGS)

bench: tools
	@$(SERVERS) $(PY) -m bench $(ARGS)

screenshots: tools
	@$(PY) docs/screenshots/make.py

coverage: tools
	@$(PY) docs/meta_coverage.py

schema: tools
	@$(PY) manage.py spectacular --format openapi-json --validate --fail-on-warn --file docs/openapi.json

words: tools
	@$(PY) dexra/catalogues.py gather

check: tools
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check --quiet .
	@$(PY) -m mypy $(APPS)
	@$(PY) -c "from importlinter.cli import lint_imports_command as run; run()" --no-logo
	@$(PY) -m djlint templates --lint --quiet
	@$(SERVERS) $(PY) manage.py makemigrations --check --dry-run
	@PUBLIC_URL=https://dexra.example $(PY) manage.py check --deploy --fail-level WARNING

# Known to every Python and platform that pyproject.toml admits; requirements-dev.txt holds all of requirements.txt.
LOCK = $(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header pyproject.toml
lock: tools
	$(LOCK) --group dev -o requirements-dev.txt $(ARGS)
	$(LOCK) -c requirements-dev.txt -o requirements.txt $(ARGS)

clean:
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Two commands: `make demo` and `make test`. Everything else is explained by `make help`.
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
export PATH := $(BIN):$(PATH)
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
define VARIABLES
           EXTRAS=cuda,slurm,s3,compare,nonfree adds optional packages: `make env EXTRAS=cuda`, `make gpu EXTRAS=cuda`;
           SLOW=1 adds the slow tests; PYTHON=python3.12 chooses the interpreter.
endef

include workflows/runs.mk

WITH_WEIGHTS = $(call with,publish_weights)
# optional packages of pyproject.toml, with a stamp each
EXTRAS ?=
COMMA := ,
EXTRA_STAMPS = $(patsubst %,$(VENV)/.extra-%,$(subst $(COMMA), ,$(EXTRAS)))
NOT_LOCKED := ^(torch|torchvision|triton|setuptools|nvidia-.*|cuda-.*)==
PYTEST := OMP_NUM_THREADS=1 python -m pytest -q -p no:cacheprovider -n auto --dist loadfile
WITH_JAX := tests/active_fluid tests/flow_from_images/stages/test_infer.py
FAST := $(PYTEST) -m 'not slow and not gpu'

.PHONY: env dev weights test lint lock lock-lowest lowest schema docs wheel

env: $(VENV)/.base $(EXTRA_STAMPS) ## make .venv and install sciml into it with plain pip (EXTRAS=cuda for optional packages)

# a Python counts when it really makes a virtual environment: shims and systems without ensurepip do not
$(VENV)/.python:
	@for candidate in $(PYTHON) python3.11 python3.12 python3.13; do \
	  if $$candidate -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null \
	    && $$candidate -m venv --clear $(VENV) >/dev/null 2>&1 && $(VENV)/bin/python -m pip --version >/dev/null 2>&1; then \
	    echo "using $$($(VENV)/bin/python --version) ($$candidate)"; touch $@; exit 0; fi; done; \
	  rm -rf $(VENV); echo 'sciml needs Python 3.11, 3.12 or 3.13 with venv; on Debian or Ubuntu: sudo apt-get install python3-venv' >&2; exit 2

$(VENV)/.base: $(VENV)/.python pyproject.toml constraints.txt
	@echo 'installing sciml and its packages (about 2 GB, some minutes the first time)'
	@python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[all]'
	@touch $@

$(VENV)/.extra-%: $(VENV)/.base
	@python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[all,$*]'
	@touch $@

dev: $(VENV)/.dev $(EXTRA_STAMPS) ## the same environment with what tests and linters need

$(VENV)/.dev: $(VENV)/.base
	@python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	@touch $@

weights: env ## publish the weights of a finished run into the package: make weights FAMILY=...
	$(if $(filter $(FAMILY),$(WITH_WEIGHTS)),@snakemake --profile profiles/default --config tier=cpu -- $(FAMILY)_publish_weights,\
	@echo 'weights: choose FAMILY among those that ship weights: $(or $(WITH_WEIGHTS),none yet)' >&2; exit 2)

# torch and jax in processes of their own
test: dev ## the tests, in the same environment (SLOW=1 adds the slow ones)
	@sciml data fetch --data-tier ci
	@$(PYTEST) $(if $(SLOW),,-m 'not slow and not gpu') $(addprefix --ignore=,$(WITH_JAX)) tests
	@$(PYTEST) $(if $(SLOW),,-m 'not slow and not gpu') $(WITH_JAX)

lint: dev ## format, lint, types, workflow lint, schema drift
	@ruff format --check . && ruff check .
	@snakefmt --check Snakefile workflows tests/example_family tests/example_method
	@for file in Snakefile workflows/*/Snakefile; do snakemake --lint -s $$file --config tier=ci container=sciml.sif > /dev/null || exit 1; done
	@basedpyright
	@sciml config check
	@diff <(sciml config schema) config/schema.json || { echo 'config/schema.json is stale: make schema' >&2; exit 1; }
	@sciml data attribution --check
	@python -m pip check

schema: env ## write config/schema.json from the settings models
	@sciml config schema > config/schema.json

# strict: a link or a docstring that leads nowhere fails; with --quiet none would
docs: env $(VENV)/.extra-docs ## build the documentation into site/, which opens without a server
	@NO_MKDOCS_2_WARNING=1 python -m mkdocs build --strict
	@echo "documentation: $(CURDIR)/site/index.html"

lock: env ## write constraints.txt from the environment (all but torch, torchvision and what they bring)
	@python -m pip freeze --exclude-editable | grep -vE '$(NOT_LOCKED)' > constraints.txt

lock-lowest: env $(VENV)/.extra-lock ## write constraints-lowest.txt: the least versions that pyproject.toml allows
	@uv pip compile -q --resolution lowest-direct --python-version 3.11 --no-header --no-annotate --extra all --extra dev \
	  pyproject.toml | grep -vE '$(NOT_LOCKED)' > constraints-lowest.txt

lowest: env ## the tests with these versions, in .venv-lowest
	@python -m venv .venv-lowest
	@.venv-lowest/bin/python -m pip install -q --disable-pip-version-check -c constraints-lowest.txt -e '.[all,dev]'
	@export PATH=$(CURDIR)/.venv-lowest/bin:$$PATH; $(FAST) $(addprefix --ignore=,$(WITH_JAX)) tests && $(FAST) $(WITH_JAX)

wheel: env ## build the wheel into dist/
	@python -m pip wheel -q --disable-pip-version-check --no-deps -w dist .

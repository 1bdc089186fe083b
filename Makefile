# Two commands: `make demo` and `make test`. Everything else is explained by `make help`.
SHELL := /bin/bash
.DEFAULT_GOAL := help

TIER ?= demo
FAMILY ?= all
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
export PATH := $(BIN):$(PATH)
export VIRTUAL_ENV := $(CURDIR)/$(VENV)

DATA_ci := ci
DATA_demo := default
DATA_cpu := default
DATA_gpu := full
# families whose workflow has a rule
with = $(sort $(foreach file,$(shell grep -ls '^rule $(1):' workflows/*/rules/*.smk),$(word 2,$(subst /, ,$(file)))))
WITH_WEIGHTS = $(call with,publish_weights)
WITH_ABLATIONS = $(call with,ablations)
# optional packages of pyproject.toml, with a stamp each
EXTRAS ?=
COMMA := ,
EXTRA_STAMPS = $(patsubst %,$(VENV)/.extra-%,$(subst $(COMMA), ,$(EXTRAS)))
TARGET := $(if $(filter all,$(FAMILY)),all,$(FAMILY))
PYTEST := OMP_NUM_THREADS=1 python -m pytest -q -p no:cacheprovider -n auto --dist loadfile

.PHONY: help env dev demo cpu gpu weights ablations test lint lock clean run data schema docs

help: ## show this text
	@echo 'sciml: learned and classical reconstruction on real data, one report a study'
	@echo
	@grep -E '^[a-z]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /\t/' | expand -t 12
	@echo
	@echo 'Variables: TIER=ci|demo|cpu|gpu for `make demo`; FAMILY=imaging for one family; SLOW=1 for the slow tests;'
	@echo '           EXTRAS=cuda,slurm,nonfree adds optional packages: `make env EXTRAS=cuda`, `make gpu EXTRAS=cuda`;'
	@echo '           SCIML_CACHE=/path moves the data; PYTHON=python3.12 chooses the interpreter.'

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

dev: $(VENV)/.dev ## the same environment with what tests and linters need

$(VENV)/.dev: $(VENV)/.base
	@python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	@touch $@

data: env ## fetch the real data of TIER into the cache, verified
	@sciml data fetch --data-tier $(DATA_$(TIER))

# what the data tier offers may be less than wanted where apt is absent: the run then says so in its report. The audit is made
# again only where a page is newer; one family's run writes the index too; a failure still names the index, where it stands in red,
# and is the exit code
run: data
	@offered=$$(sciml data usable --data-tier $(DATA_$(TIER))) || exit; \
	go() { snakemake --profile $(PROFILE) --config tier=$(TIER) data_tier=$$offered "$$@" -- $(TARGET); }; \
	code=0; go || code=$$?; \
	if [ $$code = 0 ] && [ $(TARGET) != all ]; then sciml report index reports || code=$$?; fi; \
	if [ $$code = 0 ] && { [ ! -e reports/audit.zip ] || \
	  [ -n "$$(find reports -maxdepth 1 -name '*.html' -newer reports/audit.zip)" ]; }; then \
	  go --quiet all --report reports/audit.zip || code=$$?; fi; \
	if [ -e reports/index.html ]; then echo; echo "report: $(CURDIR)/reports/index.html"; fi; \
	exit $$code

demo: PROFILE = profiles/default
demo: ## real data, every study, one report, in minutes (TIER=ci for a tiny one)
	@$(MAKE) --no-print-directory run TIER=$(TIER) PROFILE=$(PROFILE)

cpu: ## everything from scratch on this machine's cores: hours (FAMILY=... for one)
	@$(MAKE) --no-print-directory run TIER=cpu PROFILE=profiles/default

gpu: ## the papers' sizes on this machine's cards (FAMILY=... for one)
	@$(MAKE) --no-print-directory run TIER=gpu PROFILE=profiles/gpu

weights: env ## publish the weights of a finished run into the package: make weights FAMILY=...
	$(if $(filter $(FAMILY),$(WITH_WEIGHTS)),@snakemake --profile profiles/default --config tier=cpu -- $(FAMILY)_publish_weights,\
	@echo 'weights: choose FAMILY among those that ship weights: $(or $(WITH_WEIGHTS),none yet)' >&2; exit 2)

ablations: env ## studies of design choices, on validation data: make ablations FAMILY=...
	$(if $(filter $(FAMILY),$(WITH_ABLATIONS)),@snakemake --profile profiles/default --config tier=cpu -- $(FAMILY)_ablations,\
	@echo 'ablations: choose FAMILY among those that have them: $(or $(WITH_ABLATIONS),none yet)' >&2; exit 2)

# torch and jax in processes of their own
test: dev ## the tests, in the same environment (SLOW=1 adds the slow ones)
	@sciml data fetch --data-tier ci
	@$(PYTEST) $(if $(SLOW),,-m 'not slow and not gpu') --ignore=tests/active_fluid tests
	@$(PYTEST) $(if $(SLOW),,-m 'not slow and not gpu') tests/active_fluid

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

# strict: a link or a docstring that leads nowhere fails
docs: env $(VENV)/.extra-docs ## build the documentation into site/, which opens without a server
	@NO_MKDOCS_2_WARNING=1 python -m mkdocs build --quiet --strict
	@echo "documentation: $(CURDIR)/site/index.html"

lock: env ## write constraints.txt from the environment (all but torch, torchvision and what they bring)
	@python -m pip freeze --exclude-editable | grep -vE '^(torch|torchvision|triton|nvidia-|cuda-)' > constraints.txt

clean: ## remove results, reports, site and logs (data and .venv stay)
	rm -rf results site reports logs .snakemake

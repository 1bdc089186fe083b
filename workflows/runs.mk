# The studies: included by the Makefile of a checkout, and by that of a folder which `sciml init` wrote. Both have a target `env`.
SHELL := /bin/bash
.DEFAULT_GOAL := help

TIER ?= demo
FAMILY ?= all
DATA_ci := ci
DATA_demo := default
DATA_cpu := default
DATA_gpu := full
# families whose workflow has a rule
with = $(sort $(foreach file,$(shell grep -ls '^rule $(1):' workflows/*/rules/*.smk),$(word 2,$(subst /, ,$(file)))))
WITH_ABLATIONS = $(call with,ablations)
export VARIABLES

.PHONY: help data run demo cpu gpu ablations clean

help: ## show this text
	@echo 'sciml: learned and classical reconstruction on real data, one report a study'
	@echo
	@grep -hE '^[a-z-]+:.*## ' workflows/runs.mk $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /\t/' | expand -t 13
	@echo
	@echo 'Variables: TIER=ci|demo|cpu|gpu for `make demo`; FAMILY=imaging for one family, FAMILY=studies for all studies; SCIML_CACHE=/path moves the data;'
	@echo '           SETTINGS=my.yaml for a study of your own, whose pages lie in reports/my;'
	@echo "$$VARIABLES"

data: env ## fetch the real data of TIER into the cache, verified
	@sciml data fetch --data-tier $(DATA_$(TIER))

run: env
	@sciml run '$(or $(SETTINGS),$(TIER))' --family $(FAMILY) --profile $(PROFILE)

demo: PROFILE = profiles/default
demo: ## every study and a report of each, in minutes (TIER=ci for a tiny one, SETTINGS=my.yaml for one of your own)
	@$(MAKE) --no-print-directory run TIER=$(TIER) PROFILE=$(PROFILE)

cpu: ## everything from scratch on this machine's cores: hours (FAMILY=... for one)
	@$(MAKE) --no-print-directory run TIER=cpu PROFILE=profiles/default

gpu: env ## the papers' sizes on this machine's GPUs, after a test of these in five minutes (FAMILY=... for one)
	@sciml doctor --try-gpu
	@$(MAKE) --no-print-directory run TIER=gpu PROFILE=profiles/gpu

ablations: env ## studies of design choices, on validation data: make ablations FAMILY=...
	$(if $(filter $(FAMILY),$(WITH_ABLATIONS)),@snakemake --profile profiles/default --config tier=cpu -- $(FAMILY)_ablations,\
	@echo 'ablations: choose FAMILY among those that have them: $(or $(WITH_ABLATIONS),none yet)' >&2; exit 2)

clean: ## remove results, reports, site and logs (data and .venv stay)
	rm -rf results site reports logs .snakemake

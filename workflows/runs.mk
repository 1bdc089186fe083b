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
TARGET := $(if $(filter all,$(FAMILY)),all,$(FAMILY))
export VARIABLES

.PHONY: help data run demo cpu gpu ablations clean

help: ## show this text
	@echo 'sciml: learned and classical reconstruction on real data, one report a study'
	@echo
	@grep -hE '^[a-z-]+:.*## ' workflows/runs.mk $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /\t/' | expand -t 13
	@echo
	@echo 'Variables: TIER=ci|demo|cpu|gpu for `make demo`; FAMILY=imaging for one family; SCIML_CACHE=/path moves the data;'
	@echo "$$VARIABLES"

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

ablations: env ## studies of design choices, on validation data: make ablations FAMILY=...
	$(if $(filter $(FAMILY),$(WITH_ABLATIONS)),@snakemake --profile profiles/default --config tier=cpu -- $(FAMILY)_ablations,\
	@echo 'ablations: choose FAMILY among those that have them: $(or $(WITH_ABLATIONS),none yet)' >&2; exit 2)

clean: ## remove results, reports, site and logs (data and .venv stay)
	rm -rf results site reports logs .snakemake

"""Cohorts: people, visits, regions of the brain, grids, covariates."""

"""Cohorts: subjects, visits, regions of the brain, grids, covariates."""

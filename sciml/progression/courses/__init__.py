"""Courses of volumes over age: linear, logistic, and their fit to a cohort."""

"""Stages of the study: read files, write files."""

"""Stages of the example: the only modules of the family that read and write artefacts."""

"""Stages of the classical reconstruction study: the only modules of the family that read and write artefacts."""

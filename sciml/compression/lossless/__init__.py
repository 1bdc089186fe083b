"""Lossless and near-lossless coding: interlaced prediction in whole numbers, no lossy layer below."""

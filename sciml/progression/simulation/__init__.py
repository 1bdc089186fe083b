"""Simulated subjects: anatomy, atrophy as a flow, and the scanner."""

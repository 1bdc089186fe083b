"""Simulated people: anatomy, atrophy as a flow, and the scanner."""

"""The part of the page on the crops that judge: its claims, its tables and drawings, its sentences."""

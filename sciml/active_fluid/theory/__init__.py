"""The moment equations, their initial states, their steps in time, and their linear theory."""

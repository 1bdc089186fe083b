"""What the study does with forecasts: baselines, readout, scores, trajectories, trials."""

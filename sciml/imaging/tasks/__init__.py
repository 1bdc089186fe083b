"""Tasks on real data: their catalogue and physics, the pictures of a study, what was measured, and its scores."""

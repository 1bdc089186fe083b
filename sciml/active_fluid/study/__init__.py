"""What the study measures: closures beside the truth, and the fourth moment."""

"""Find which models stopped getting votes, and when, from totals alone: baselines, evidence and pauses."""

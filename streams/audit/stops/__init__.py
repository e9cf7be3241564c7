"""Which models stopped getting votes, and when: baselines, evidence and pauses, from totals alone."""

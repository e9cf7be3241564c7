"""Measured and measuring programs, each run as its own process: `python -m tests.bench.programs.X`."""

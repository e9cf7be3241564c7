"""Runs the real stages in one thread and virtual time over a simulated broker, Redis and clock, one world per seed."""

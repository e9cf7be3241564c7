"""The stream in one thread and virtual time: the real stages over a simulated broker, Redis and clock, seed by seed."""

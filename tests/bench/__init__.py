"""The benchmarks (`python -m tests.bench`): the acceptance lines of the streams, with their peers in the same run."""

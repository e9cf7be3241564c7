"""The benchmarks: `python -m tests.bench`, the acceptance lines of the streams against their peers in the same run."""

"""One module per line of the benchmark: it starts the measured processes and reads the figures."""

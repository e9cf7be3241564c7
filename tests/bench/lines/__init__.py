"""One module per line of the benchmark: it starts what is measured and reads the figures."""

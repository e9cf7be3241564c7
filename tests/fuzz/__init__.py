"""Inputs without number against every parser that a stranger reaches; `make fuzz`."""

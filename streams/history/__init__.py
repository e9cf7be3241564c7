"""History: ratings and evidence over time as bounded samples, each a function of the ledger before its place. Pure."""

"""The command line: `isonomy …`; here, and only here, everything is wired together."""

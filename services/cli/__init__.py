"""The command line: `isonomy …`; the only place where all parts are wired together."""

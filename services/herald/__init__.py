"""The herald: tells subscribers of alerts, each once, through restarts, and never silently fails."""

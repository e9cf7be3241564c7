"""Audits for users: reads files, and shows reports in the terminal, as JSON and as an HTML page."""

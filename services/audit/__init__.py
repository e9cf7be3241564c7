"""Audits for a person: files read, reports shown in a terminal, as JSON and as a page."""

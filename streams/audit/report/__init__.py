"""The report: figures and findings put into words, and into one document."""

"""The report: figures and findings as sentences, in one document."""

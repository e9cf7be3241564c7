"""Intake: votes and model records in, the ledger out."""

"""Shared code of the ledger folds: take-over, saving, the epoch fence; `checkpoint` and `partition` are pure."""

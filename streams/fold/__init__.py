"""What every fold of the ledger shares: taking over, saving, the epoch fence; `checkpoint` and `partition` are pure."""

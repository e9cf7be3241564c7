"""What every fold of the ledger shares: taking over, saving, the epoch fence; pure `listing`, the rest at the rim."""

"""The ledger: one ordered, deduplicated, columnar log of votes and notices per arena."""

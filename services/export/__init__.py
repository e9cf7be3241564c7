"""Exports for other programs: boards in the columns of the public leaderboard data set, votes and the ledger."""

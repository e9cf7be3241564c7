"""The audit: what published snapshots of a leaderboard say about how its models were treated; pure mathematics."""

"""Ratings: pure mathematics from counts to a leaderboard, and the thin stage that feeds it."""

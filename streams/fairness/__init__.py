"""Fairness: pure mathematics from battles and notices to alerts, and the thin stage that feeds it."""

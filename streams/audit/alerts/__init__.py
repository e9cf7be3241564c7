"""Alerts of an audit: models that stopped or left, retirements, feeds that stood still, and what a notice changes."""

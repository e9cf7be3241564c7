"""Alerts of an audit: models that stopped or left, retirements, stalled feeds, and the effect of notices."""

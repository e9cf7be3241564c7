"""The herald delivers alerts to subscribers: at least once, in order, across restarts, with every failure on record."""

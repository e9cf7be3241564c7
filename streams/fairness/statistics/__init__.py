"""Sequential tests, and the shares that they expect."""

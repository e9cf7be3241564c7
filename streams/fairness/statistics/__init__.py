"""Sequential tests, and the shares that they test against."""

"""The subscription routes, which the board process serves."""

"""The board: the page and the read API over what the workers publish, live."""

"""The board: serves the page and the read API from the views that the workers publish, live."""

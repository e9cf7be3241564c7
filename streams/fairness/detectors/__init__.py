"""One file for each kind of alert."""

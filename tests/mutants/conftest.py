"""`draw.py` runs with the Python that has Cosmic Ray, and cannot be imported here."""

collect_ignore = ["draw.py"]

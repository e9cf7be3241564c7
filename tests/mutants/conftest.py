"""`draw.py` runs with the Python that has Cosmic Ray; `server.py` takes standard output over. Neither is imported."""

collect_ignore = ["draw.py", "server.py"]

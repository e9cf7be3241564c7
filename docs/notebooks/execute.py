"""Runs every notebook and stores what it prints and draws: `make notebooks`, after a change of one."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

for path in sorted(Path(__file__).parent.glob("*.ipynb")):
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, record_timing=False).execute()
    notebook.metadata["language_info"] = {"name": "python"}  # the version would change with the machine
    nbformat.write(notebook, path)

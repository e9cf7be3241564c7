"""How Sphinx makes the documentation's site: `make docs`.

The source is the whole repository, so a link from one page to another, or to a file of the code, is written once and
leads to the same place in the site and where the repository is browsed. The pages stay plain Markdown: their order is
here.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.addnodes import pending_xref

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

project = html_title = "Isonomy"
author = copyright = "The authors of Isonomy"  # noqa: A001 -- Sphinx's name for it
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

root_doc = "README"
include_patterns = ["*.md", "docs/**", "findings/README.md", "services/simulate/scenarios/README.md"]
exclude_patterns = [".*", "*/.*", "**/node_modules", "docs/site", "docs/images", "docs/contracts/*.py"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}

myst_heading_anchors = 6  # fragments as forges make them
nb_execution_mode = "off"  # notebooks hold their outputs; tests/unit/test_notebooks.py holds the outputs to the code

autodoc_member_order = "bysource"
python_use_unqualified_type_names = True
maximum_signature_line_length = 100
autodoc_default_options = {"members": True, "undoc-members": True}
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = "furo"
html_extra_path = ["index.html"]
html_show_sphinx = False
html_copy_source = False

navigation = {
    "README": {
        "Start": ["docs/tutorial/README", "docs/architecture", "docs/reading", "docs/glossary", "docs/benchmarks"],
        "Operate": [
            "docs/deployment",
            "docs/operations",
            "docs/runbooks/README",
            "docs/dashboards",
            "docs/security",
            "Reports of vulnerabilities </SECURITY>",
            "docs/reliability",
            "docs/export",
            "CHANGELOG",
        ],
        "Methods": ["docs/methods/README"],
        "Contracts": ["docs/contracts/README"],
        "Design": ["docs/design/README", "CONTRIBUTING", "findings/README"],
        "API": ["docs/api/ratings", "docs/api/fairness", "docs/api/audit"],
    },
    "docs/tutorial/README": {
        "": [
            "docs/tutorial/rate",
            "docs/tutorial/audit",
            "docs/tutorial/detect",
            "docs/tutorial/webhooks",
            "docs/notebooks/intervals",
            "docs/notebooks/silent_removal",
            "services/simulate/scenarios/README",
        ]
    },
    "docs/operations": {"": ["docs/operations/*"]},
    "docs/runbooks/README": {"": ["docs/runbooks/*"]},
    "docs/methods/README": {"": ["docs/methods/*"]},
    "docs/contracts/README": {"": ["docs/contracts/*"]},
    "docs/design/README": {"": ["docs/design/*"]},
}
"""Of each page that leads to others: captions, and the pages below them, some with another title than their own."""


def add_navigation(app: Sphinx, page: str, source: list[str]) -> None:
    """Put the list of its pages, unseen, at the end of a page that leads to others."""
    for caption, pages in navigation.get(page, {}).items():
        title = f":caption: {caption}\n" if caption else ""
        entries = "\n".join(each if "<" in each else f"/{each}" for each in pages)
        source[0] += f"\n\n```{{toctree}}\n:hidden:\n:glob:\n{title}\n{entries}\n```\n"


def lead_to_directories(app: Sphinx, document: nodes.document) -> None:
    """Lead links to a directory to its README. A directory without one has no page here, and its name stays."""
    here = (ROOT / app.env.docname).parent
    for link in list(document.findall(pending_xref)):
        directory = here.joinpath(link["reftarget"]).resolve()
        if link["refdomain"] == "doc" or not directory.is_dir():
            continue
        readme = (directory / "README").relative_to(ROOT).as_posix()
        if readme in app.env.found_docs:
            link["refdomain"], link["reftarget"], link["reftargetid"] = "doc", readme, None
        else:
            link.replace_self(link.children)


def setup(app: Sphinx) -> None:
    """Connect the two functions above; another navigation makes every page anew."""
    app.add_config_value("navigation", {}, "env")
    app.connect("source-read", add_navigation)
    app.connect("doctree-read", lead_to_directories)

"""Sphinx: `tox -e py312-docs` builds the pages with warnings as errors."""

project = "ctc-shim"
author = "The ctc-shim developers"
copyright = "the ctc-shim developers, MIT licence"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
numpydoc_show_class_members = False
autodoc_member_order = "bysource"
html_theme = "alabaster"
html_theme_options = {"description": "The CTC loss, right and fast", "page_width": "1000px"}
exclude_patterns = ["_build", "maintainers"]  # the latter is read in the repository
nitpicky = False

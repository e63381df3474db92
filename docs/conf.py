"""Sphinx settings. `tox -e py312-docs` builds the pages with warnings as errors.

The pages need no network: fonts are the system's, formulas are MathML, search is local.
"""

import os
import sys

sys.path.insert(0, os.path.abspath("_extensions"))

import ctc_shim  # noqa: E402

project = "ctc-shim"
author = "The ctc-shim developers"
copyright = "the ctc-shim developers, MIT licence"
version = release = ctc_shim.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "mathml", "numpydoc"]
myst_enable_extensions = ["dollarmath", "amsmath", "substitution"]
myst_substitutions = {"version": ctc_shim.__version__}
myst_heading_anchors = 3
numpydoc_show_class_members = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 80
html_theme = "furo"
html_title = "ctc-shim %s" % version
html_static_path = ["_static"]
html_favicon = "_static/icon.svg"
html_css_files = ["pages.css"]
html_math_renderer = "mathml"
exclude_patterns = ["_build", "maintainers"]  # maintainers read theirs in the repository
nitpicky = False

"""The site of these pages: `make docs`. Every warning fails it, and a link that leads nowhere is one.

The pages are plain Markdown, which reads the same on a forge. Their order is that of index.md: a heading there is a
group of the navigation, a link below it a page under that name. Nothing is listed twice.
"""

from __future__ import annotations

import re

from sphinx.application import Sphinx

project = "GaiaRouter"
extensions = ["myst_parser"]
nitpicky = True

# what a forge makes of headings
myst_heading_anchors = 4

html_theme = "furo"
html_title = "GaiaRouter"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False

_GROUP = re.compile(r"^## (?P<caption>.+)\n(?P<body>(?:(?!## ).*\n)*)", re.MULTILINE)
_PAGE = re.compile(r"^- \[([^\]]+)\]\(([\w/-]+)\.md\)", re.MULTILINE)
_OUTSIDE = re.compile(r"\]\((\.\./[^)#]+\.md)\)")


def navigation(page: str) -> str:
    """The `toctree` of each group of `page`, in MyST; of a page without groups one for all of it."""
    groups = {group["caption"]: group["body"] for group in _GROUP.finditer(page)} or {"": page}
    return "".join(_toctree(caption, _PAGE.findall(body)) for caption, body in groups.items())


def _toctree(caption: str, pages: list[tuple[str, str]]) -> str:
    lines = [f":caption: {caption}"] if caption else []
    lines += [":hidden:", "", *(f"{title} <{name}>" for title, name in pages)]
    return "\n".join(["", "```{toctree}", *lines, "```", ""])


def _prepare(app: Sphinx, name: str, source: list[str]) -> None:
    if name.rpartition("/")[2] == "index":
        source[0] += navigation(source[0])
    if "/" not in name:
        # what lies beside docs/ is no page of the site: it can be had as a file
        source[0] = _OUTSIDE.sub(r"](path:\1)", source[0])


def setup(app: Sphinx) -> None:
    app.connect("source-read", _prepare)

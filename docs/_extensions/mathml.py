"""Formulas as MathML, made by docutils when the pages are built: no script, no font, no network."""

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml


def inline(self, node):
    self.body.append(tex2mathml(node.astext().strip()))
    raise nodes.SkipNode


def block(self, node):
    formula = tex2mathml(node.astext().strip(), as_block=True)
    self.body.append('<div class="formula">%s</div>\n' % formula)
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}

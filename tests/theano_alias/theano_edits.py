"""What is edited in Theano's own tests, so that they run on today's Python and on the alias."""

import ast

# Removed from NumPy -> what it meant.
REMOVED = {
    "float": "float",
    "complex": "complex",
    "cast": "served.cast",
    "int": "int",
    "bool": "bool",
    "product": "np.prod",
    "in1d": "np.isin",
    "find_common_type": "served.find_common_type",
}


class Edits(ast.NodeTransformer):
    """Imports from theano that fail where the name is used; NumPy's removed names."""

    def visit_ImportFrom(self, node):
        if str(node.module).split(".")[0] == "nose":
            node.module = "served"
        if node.module == "numpy.testing":
            decorators = [a for a in node.names if a.name == "dec"]
            node.names = [a for a in node.names if a not in decorators]
            ours = ast.parse("from served import dec").body if decorators else []
            return ours + [node] if node.names else ours
        if str(node.module).split(".")[0] != "theano" or node.names[0].name == "*":
            return node
        lines = [
            "%s = served.name(%r, %r)" % (a.asname or a.name, node.module, a.name)
            for a in node.names
        ]
        return ast.parse("\n".join(lines)).body

    def visit_Import(self, node):
        lines = []
        for alias in node.names:
            if not alias.name.startswith("theano."):
                lines.append(ast.unparse(ast.Import([alias])))
            elif alias.asname:
                lines.append("%s = served.module(%r)" % (alias.asname, alias.name))
            else:
                lines.append("served.module(%r); import theano" % alias.name)
        return ast.parse("\n".join(lines)).body

    def visit_Attribute(self, node):
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and node.value.id == "np" and node.attr in REMOVED:
            return ast.parse(REMOVED[node.attr]).body[0].value
        if self.in_functions or not isinstance(node.ctx, ast.Load):
            return node
        get = ast.parse("served.get").body[0].value
        return ast.Call(get, [node.value, ast.Constant(node.attr)], [])

    in_functions = 0

    def visit_FunctionDef(self, node):
        node.decorator_list = [self.visit(d) for d in node.decorator_list]
        node.args = self.visit(node.args)
        self.in_functions += 1
        body = [self.visit(statement) for statement in node.body]
        node.body = [n for ns in body for n in (ns if isinstance(ns, list) else [ns])]
        self.in_functions -= 1
        return node


def edited(text):
    text = text.replace("np.linalg.linalg.", "np.linalg.")
    tree = Edits().visit(ast.parse(text))
    first = (
        next(i for i, n in enumerate(tree.body) if getattr(n, "module", "") == "__future__")
        if "__future__" in text
        else -1
    )
    tree.body.insert(first + 1, ast.parse("import served").body[0])
    return ast.unparse(ast.fix_missing_locations(tree))

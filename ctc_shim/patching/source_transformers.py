"""What legacy Keras needs on new Pythons, numpy 2 and h5py 3: small edits of its own source as it is loaded.

Nothing outside Keras is touched, and no byte code of an edited module is written, so that the same Keras without the
alias is what it was. A module without any of the words in TRIGGERS is loaded as ever. On real Theano keras_patch/mends.py
applies the first two menders, each where it is needed.
"""

import ast
import importlib.machinery
import re

TRIGGERS = re.compile(
    r"np\.(int|float|bool|object|complex|str|Inf|string_|unicode_)\b|collections|getargspec"
    r"|\.decode\(|yaml\.load|pkg_resources|\bif (self\.)?b(ias)?:|\.fid\b|\[slices\]|\.attrs\["
)

# numpy names that are gone -> what they meant
NUMPY = {"Inf": "inf", "string_": "bytes_", "unicode_": "str_", "float_": "float64", "NaN": "nan"}
BUILTINS = ("int", "float", "bool", "object", "complex", "str")
ABSTRACT = (
    "Iterable",
    "Mapping",
    "Sequence",
    "Container",
    "Callable",
    "Hashable",
    "MutableMapping",
    "Sized",
    "Set",
)
HELPERS = "ctc_shim.patching.source_helpers"


class CollectionsMender(ast.NodeTransformer):
    """The abstract classes, which from Python 3.10 on are in collections.abc only."""

    triggers = re.compile(
        r"(collections\.|from collections import .*)\b(%s)\b" % "|".join(ABSTRACT)
    )

    def visit_Attribute(self, node):
        self.generic_visit(node)
        if _is_name(node.value, "collections") and node.attr in ABSTRACT:
            return _at(node, _helper("abstract", node.attr))
        return node

    def visit_ImportFrom(self, node):
        if node.module == "collections" and all(a.name in ABSTRACT for a in node.names):
            node.module = "collections.abc"
        return node


class H5pyMender(ast.NodeTransformer):
    """What h5py 3 reads, writes and calls otherwise than h5py 2."""

    triggers = re.compile(r"\.decode\(|\.fid\b|h5py\.File\(")

    def visit_Attribute(self, node):
        self.generic_visit(node)
        if node.attr == "fid":  # of an h5py.File, whose id it is
            node.attr = "id"
        return node

    def visit_Call(self, node):
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute):
            if node.func.attr == "decode" and len(node.args) == 1 and _is_utf8(node.args[0]):
                return _at(node, ast.Call(_helper("text"), [node.func.value], []))
            if (
                node.func.attr == "File"
                and _is_name(node.func.value, "h5py")
                and _only(node, "driver", "backing_store")
            ):
                # a file in memory: h5py < 3 opened it for writing unless told otherwise
                node.keywords.append(ast.keyword("mode", _at(node, ast.Constant("w"))))
        return node


class Mender(ast.NodeTransformer):
    """The rest, which only the alias needs; line numbers stay."""

    def visit_Attribute(self, node):
        self.generic_visit(node)
        owner = node.value.id if isinstance(node.value, ast.Name) else None
        if owner in ("np", "numpy"):
            if node.attr in NUMPY:
                node.attr = NUMPY[node.attr]
            elif node.attr in BUILTINS:
                return _at(node, ast.Name(node.attr, node.ctx))
        elif owner == "inspect" and node.attr == "getargspec":
            return _at(node, _helper("getargspec"))
        return node

    def visit_Subscript(self, node):
        """`x[slices]` with a list of slices: numpy wants a tuple now."""
        self.generic_visit(node)
        index = getattr(node.slice, "value", node.slice)  # wrapped in ast.Index up to Python 3.8
        if _is_name(index, "slices"):
            whole = _at(index, ast.Call(_helper("index"), [index], []))
            node.slice = whole if node.slice is index else ast.Index(whole)
        return node

    def visit_Assign(self, node):
        """`group.attrs[name] = value` of a list of bytes: h5py 3 would store texts of variable length, and read str."""
        self.generic_visit(node)
        owner = getattr(node.targets[0], "value", None)
        if (
            isinstance(node.targets[0], ast.Subscript)
            and isinstance(owner, ast.Attribute)
            and owner.attr == "attrs"
        ):
            node.value = _at(node.value, ast.Call(_helper("attribute"), [node.value], []))
        return node

    def visit_ImportFrom(self, node):
        if node.module == "pkg_resources":
            node.module = HELPERS
        return node

    def visit_If(self, node):
        """`if b:`, `if self.bias:` on a variable was true in Theano; PyTensor refuses."""
        self.generic_visit(node)
        if isinstance(node.test, (ast.Name, ast.Attribute)):
            node.test = _at(node.test, ast.Call(_helper("truth"), [node.test], []))
        return node

    def visit_Call(self, node):
        self.generic_visit(node)
        if (
            isinstance(node.func, ast.Attribute)
            and node.func.attr == "load"
            and _is_name(node.func.value, "yaml")
        ):
            if len(node.args) == 1 and not node.keywords:
                node.func = _at(node, _helper("yaml_load"))
        return node


def _at(node, new):
    return ast.fix_missing_locations(ast.copy_location(new, node))


def _helper(*path):
    """The expression `ctc_shim_mend.path`."""
    expression = ast.Name("ctc_shim_mend", ast.Load())
    for name in path:
        expression = ast.Attribute(expression, name, ast.Load())
    return expression


def _only(call, *names):
    return {k.arg for k in call.keywords} == set(names)


def _is_name(node, name):
    return isinstance(node, ast.Name) and node.id == name


def _is_utf8(node):
    value = (
        node.value if hasattr(node, "value") else getattr(node, "s", None)
    )  # .s: Python 3.7 and older
    return value in ("utf8", "utf-8")


MENDERS = (CollectionsMender, H5pyMender, Mender)


def mend(source, path, menders=MENDERS):
    """Source of a Keras module -> its code, mended."""
    tree = ast.parse(source, path)
    for mender in menders:
        tree = mender().visit(tree)
    return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)


class MendingLoader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname, path, menders):
        super(MendingLoader, self).__init__(fullname, path)
        self.menders = menders

    def exec_module(self, module):
        from ctc_shim.patching import source_helpers

        module.ctc_shim_mend = source_helpers
        exec(mend(self.get_source(self.name), self.path, self.menders), module.__dict__)


class MendingFinder(object):
    """Finds keras.* as the path does, and has a module loaded by MendingLoader if its source needs that."""

    def find_spec(self, fullname, path=None, target=None):
        if not fullname.startswith("keras."):
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        loader = getattr(spec, "loader", None)
        if type(loader) is importlib.machinery.SourceFileLoader:
            menders = self.menders(loader.get_source(fullname))
            if menders:
                spec.loader = MendingLoader(fullname, loader.path, menders)
        return spec

    def menders(self, source):
        """Those that this source needs."""
        return MENDERS if TRIGGERS.search(source) else ()

"""Source transformers: small edits of Keras' own sources, made while they are loaded.

Legacy Keras uses names that new Pythons, numpy 2 and h5py 3 have removed. Only Keras' modules are
edited, and no byte code of an edited module is written, so the same Keras runs unedited where no
finder asks for the edits. Line numbers do not change.
"""

import ast
import collections.abc
import importlib
import importlib.machinery
import re
import warnings
from types import CodeType, ModuleType
from typing import Any, ClassVar, List, Optional, Pattern, Sequence, Set, Tuple, Type

# numpy names that were removed -> what they meant
NUMPY = {"Inf": "inf", "string_": "bytes_", "unicode_": "str_", "float_": "float64", "NaN": "nan"}
BUILTINS = ("int", "float", "bool", "object", "complex", "str")
HELPERS = "ctc_shim.patching.source_helpers"


class SourceTransformer(ast.NodeTransformer):
    """One kind of edit; `triggers` finds the sources that may need it."""

    triggers: Pattern[str]


class MovedNamesTransformer(SourceTransformer):
    """Names that a module of Python has lost come from another one, however they are imported."""

    module: ClassVar[str]
    names: ClassVar[Sequence[str]]
    home: ClassVar[str]  # the module that has them now
    helpers: ClassVar[Tuple[str, ...]] = ()  # where the home is in ctc_shim_helpers

    def __init__(self) -> None:
        self.bound: Set[str] = set()  # what the edited source calls the module

    def visit_Module(self, node: ast.Module) -> Any:
        imports = [found for found in ast.walk(node) if isinstance(found, ast.Import)]
        for alias in [alias for found in imports for alias in found.names]:
            if alias.name == self.module or not alias.asname and self._is_parent_of(alias.name):
                self.bound.add(alias.asname or self.module)
        return self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and node.value.id in self.bound:
            if node.attr in self.names:
                return placed(node, _helper(*(self.helpers + (node.attr,))))
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        if node.level or node.module != self.module:
            return node
        moved = [alias for alias in node.names if alias.name in self.names]
        stay = [alias for alias in node.names if alias not in moved]
        parts: List[Tuple[str, List[ast.alias]]] = [(self.module, stay), (self.home, moved)]
        return [placed(node, ast.ImportFrom(home, names, 0)) for home, names in parts if names]

    def _is_parent_of(self, name: str) -> bool:
        return name.startswith(self.module + ".")


def _uses(module: str, names: Sequence[str]) -> Pattern[str]:
    """Matches a source that takes one of the names from the module, or renames the module."""
    one, line = r"\b(%s)\b" % "|".join(names), r"([^\n\\]|\\\n)*"
    return re.compile(
        r"\b{0}\s*\.\s*{1}|\bimport{2}\b{0}\s+as\b|\bfrom\s+{0}\s+import(\s*\([^)]*|{2}){1}".format(
            module, one, line
        )
    )


class CollectionsTransformer(MovedNamesTransformer):
    """Abstract classes come from collections.abc: collections has lost them in Python 3.10."""

    module, home, helpers = "collections", "collections.abc", ("abstract",)
    names = collections.abc.__all__
    triggers = _uses(module, names)


class InspectTransformer(MovedNamesTransformer):
    """inspect.getargspec and its result, which Python 3.11 has removed."""

    module, home = "inspect", HELPERS
    names = ("ArgSpec", "getargspec")
    triggers = _uses(module, names)


class H5pyTransformer(SourceTransformer):
    """What h5py 3 reads, writes and names differently from h5py 2."""

    triggers = re.compile(r"\.decode\(|\.fid\b|h5py\.File\(")

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        self.generic_visit(node)
        if node.attr == "fid":  # the id of an h5py.File
            node.attr = "id"
        return node

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        if _is_method(node, "decode") and len(node.args) == 1 and _is_utf8(node.args[0]):
            return placed(node, helper_call("text", _object(node)))
        in_memory = {k.arg for k in node.keywords} == {"driver", "backing_store"}
        if _is_method(node, "File") and _is_name(_object(node), "h5py") and in_memory:
            # A file in memory: h5py < 3 opened it for writing unless told otherwise.
            node.keywords.append(ast.keyword("mode", placed(node, ast.Constant("w"))))
        return node


class RemovedNamesTransformer(SourceTransformer):
    """numpy 2, PyYAML 6, and a symbolic variable as the condition of an `if`."""

    triggers = re.compile(
        r"np\.(int|float|bool|object|complex|str|Inf|string_|unicode_)\b"
        r"|\.decode\(|yaml\.load|pkg_resources|\bif (self\.)?b(ias)?:|\.fid\b|\[slices\]|\.attrs\["
    )

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        self.generic_visit(node)
        if _is_name(node.value, "np") or _is_name(node.value, "numpy"):
            if node.attr in BUILTINS:
                return placed(node, ast.Name(node.attr, node.ctx))
            node.attr = NUMPY.get(node.attr, node.attr)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        """`x[slices]` with a list of slices: numpy wants a tuple."""
        self.generic_visit(node)
        index: Any = getattr(node.slice, "value", node.slice)  # ast.Index up to Python 3.8
        if _is_name(index, "slices"):
            call = placed(index, helper_call("index", index))
            node.slice = call if node.slice is index else ast.Index(call)
        return node

    def visit_Assign(self, node: ast.Assign) -> Any:
        """`group.attrs[name] = a list of bytes`: h5py 3 would store text, and read str."""
        self.generic_visit(node)
        target = node.targets[0]
        if isinstance(target, ast.Subscript) and getattr(target.value, "attr", None) == "attrs":
            node.value = placed(node.value, helper_call("attribute", node.value))
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        if node.module == "pkg_resources":
            node.module = HELPERS
        return node

    def visit_If(self, node: ast.If) -> Any:
        """`if b:` and `if self.bias:` on a variable."""
        self.generic_visit(node)
        if isinstance(node.test, (ast.Name, ast.Attribute)):
            node.test = placed(node.test, helper_call("truth", node.test))
        return node

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        if _is_method(node, "load") and _is_name(_object(node), "yaml"):
            if len(node.args) == 1 and not node.keywords:
                node.func = placed(node, _helper("yaml_load"))
        return node


class EvalTransformer(SourceTransformer):
    """`x.eval()` becomes the call of a helper that decides how it is compiled."""

    triggers = re.compile(r"\.eval\(\)")

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        if _is_method(node, "eval") and not node.args and not node.keywords:
            return placed(node, helper_call("evaluate", _object(node)))
        return node


def placed(node: ast.AST, new: Any) -> Any:
    """The new node at the place of another."""
    return ast.fix_missing_locations(ast.copy_location(new, node))


def _helper(*path: str) -> Any:
    """The expression `ctc_shim_helpers.path`."""
    expression: Any = ast.Name("ctc_shim_helpers", ast.Load())
    for name in path:
        expression = ast.Attribute(expression, name, ast.Load())
    return expression


def helper_call(helper: str, argument: Any) -> Any:
    """The expression `ctc_shim_helpers.helper(argument)`."""
    return ast.Call(_helper(helper), [argument], [])


def _is_method(call: ast.Call, name: str) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == name


def _object(call: Any) -> Any:
    """The object whose method is called."""
    return call.func.value


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _is_utf8(node: Any) -> bool:
    name = "value" if hasattr(node, "value") else "s"  # ast.Str, in Python 3.7 and older
    return getattr(node, name, None) in ("utf8", "utf-8")


def edited(source: str, path: str, transformers: Sequence[Type[SourceTransformer]]) -> Any:
    """The syntax tree of a Keras module after each transformer has edited it."""
    tree: Any = ast.parse(source, path)
    for transformer in transformers:
        tree = transformer().visit(tree)
    return ast.fix_missing_locations(tree)


def transform(source: str, path: str, transformers: Sequence[Type[SourceTransformer]]) -> CodeType:
    """Compile the source of a Keras module after each transformer has edited it.

    Python's warnings about the syntax are not shown. Python gives them when it writes byte code;
    no byte code of an edited module is written, so that they would come at every start.
    """
    with warnings.catch_warnings():
        for category in (SyntaxWarning, DeprecationWarning):  # of escapes, before Python 3.12
            warnings.simplefilter("ignore", category)
        return compile(edited(source, path, transformers), path, "exec", dont_inherit=True)


class TransformingLoader(importlib.machinery.SourceFileLoader):
    """Loads a module from its edited source, which calls the helpers as `ctc_shim_helpers`."""

    def __init__(
        self,
        fullname: str,
        path: str,
        transformers: Sequence[Type[SourceTransformer]],
        helpers: str,
    ) -> None:
        super(TransformingLoader, self).__init__(fullname, path)
        self.transformers, self.helpers = transformers, helpers

    def exec_module(self, module: ModuleType) -> None:
        code = transform(self.get_source(self.name) or "", str(self.path), self.transformers)
        vars(module)["ctc_shim_helpers"] = importlib.import_module(self.helpers)
        exec(code, vars(module))


class SourceFinder(object):
    """Finds keras.* on sys.path, and gives sources that need it to TransformingLoader."""

    packages = ("keras.", "keras_preprocessing.")
    transformers: Tuple[Type[SourceTransformer], ...] = ()
    helpers = HELPERS  # the module of the functions that edited sources call

    def find_spec(
        self, fullname: str, path: Any = None, target: Optional[ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        if not fullname.startswith(self.packages) or not self.is_needed():
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        loader = getattr(spec, "loader", None)
        if spec is not None and type(loader) is importlib.machinery.SourceFileLoader:
            source = loader.get_source(fullname) or ""
            found = [t for t in self.transformers if t.triggers.search(source) and self.applies(t)]
            if found:
                spec.loader = TransformingLoader(fullname, str(loader.path), found, self.helpers)
        return spec

    def is_needed(self) -> bool:
        """Are there modules to edit at all? Asked before a module is searched for."""
        return True

    def applies(self, transformer: Type[SourceTransformer]) -> bool:
        """Is this edit needed here? Asked when a source has the words it looks for."""
        return True

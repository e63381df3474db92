"""theano.tensor.nlinalg and slinalg: what PyTensor moved, renamed or takes in another way."""

from typing import Any

from ctc_shim.theano_alias.server import has_part, is_aesara, part, pt

# one package in newer PyTensors; nlinalg and slinalg before
_OLD = is_aesara or not has_part("tensor.linalg")
_HOMES = ("tensor.nlinalg", "tensor.slinalg") if _OLD else ("tensor.linalg",)


def library(name: str) -> Any:
    for home in _HOMES:
        value = getattr(part(home), name, None)
        if value is not None:
            return value
    raise AttributeError("the library has no linear algebra called %s" % name)


def diag(x: Any) -> Any:
    """A vector as the diagonal of a matrix, or the diagonal of a matrix."""
    x = pt.as_tensor_variable(x)
    if x.ndim not in (1, 2):
        raise TypeError("diag takes a vector or a matrix, got %d dimensions" % x.ndim)
    return pt.diag(x)


alloc_diag = extract_diag = diag


def qr(a: Any, mode: str = "reduced") -> Any:
    """q and r, or r alone with mode="r"."""
    modes = {"reduced": "economic", "complete": "full", "full": "full", "r": "r"}
    if is_aesara:  # Theano's own function
        return part("tensor.nlinalg").qr(a, mode)
    result = library("qr")(a, mode=modes.get(mode, mode))
    return result[0] if mode == "r" and isinstance(result, (list, tuple)) else result


def eigh(a: Any, UPLO: str = "L") -> Any:
    return library("eigh")(a, UPLO=UPLO)


def eigvalsh(a: Any, b: Any, lower: bool = True) -> Any:
    return library("eigvalsh")(a, b, lower=lower)


def svd(a: Any, full_matrices: Any = 1, compute_uv: Any = 1) -> Any:
    return library("svd")(a, bool(full_matrices), bool(compute_uv))


def norm(x: Any, ord: Any) -> Any:
    """A norm of a vector or a matrix, by its numpy name."""
    return library("norm")(pt.as_tensor_variable(x), ord)


def kron(a: Any, b: Any) -> Any:
    """The Kronecker product of two matrices."""
    a, b = pt.as_tensor_variable(a), pt.as_tensor_variable(b)
    if a.ndim + b.ndim <= 2:
        raise TypeError(
            "kron: inputs dimensions must sum to 3 or more, got %d and %d" % (a.ndim, b.ndim)
        )
    if (a.ndim, b.ndim) != (2, 2):
        raise NotImplementedError("kron: the theano alias serves matrices")
    product = a.dimshuffle(0, "x", 1, "x") * b.dimshuffle("x", 0, "x", 1)
    return product.reshape((a.shape[0] * b.shape[0], a.shape[1] * b.shape[1]))


class Solve(object):
    """a, b -> x with a x = b, for an `a` of the named structure."""

    def __init__(
        self,
        A_structure: str = "general",
        lower: bool = False,
        overwrite_A: bool = False,
        overwrite_b: bool = False,
    ) -> None:
        self.A_structure, self.lower = A_structure, lower

    def __call__(self, a: Any, b: Any) -> Any:
        if self.A_structure in ("lower_triangular", "upper_triangular"):
            lower = self.A_structure == "lower_triangular"
            if is_aesara:
                return library("SolveTriangular")(lower=lower)(a, b)
            return library("solve_triangular")(a, b, lower=lower)
        assume = "sym" if self.A_structure == "symmetric" else "gen"
        return library("solve")(a, b, assume_a=assume)


solve = Solve()
solve_lower_triangular = Solve("lower_triangular", lower=True)
solve_upper_triangular = Solve("upper_triangular")
solve_symmetric = Solve("symmetric")


class Cholesky(object):
    """A positive definite matrix -> its factor."""

    def __init__(self, lower: bool = True, on_error: str = "raise") -> None:
        self.lower, self.on_error = lower, on_error

    def __call__(self, a: Any) -> Any:
        if is_aesara:
            return library("Cholesky")(lower=self.lower, on_error=self.on_error)(a)
        cholesky, options = library("cholesky"), {"lower": self.lower}
        code = getattr(cholesky, "__code__", None)
        if code is not None and "on_error" in code.co_varnames:
            options["on_error"] = self.on_error  # type: ignore[assignment]
        return cholesky(a, **options)


cholesky = Cholesky()

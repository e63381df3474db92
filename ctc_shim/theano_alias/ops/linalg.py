"""theano.tensor.nlinalg and slinalg: what PyTensor moved, renamed or takes in another way."""

from typing import Any

from ctc_shim.theano_alias.server import has_part, is_aesara, part, pt

tensor = pt.as_tensor_variable

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
    x = tensor(x)
    if x.ndim not in (1, 2):
        raise TypeError("diag takes a vector or a matrix, got %d dimensions" % x.ndim)
    return pt.diag(x)


def alloc_diag(x: Any) -> Any:
    x = tensor(x)
    if x.ndim != 1:
        raise TypeError("alloc_diag takes a vector, got %d dimensions" % x.ndim)
    return pt.diag(x)


def extract_diag(x: Any) -> Any:
    x = tensor(x)
    if x.ndim < 2:
        raise ValueError("extract_diag takes a matrix, got %d dimensions" % x.ndim)
    return pt.diagonal(x)


def qr(a: Any, mode: str = "reduced") -> Any:
    """q and r; r alone with mode="r"; numpy's h, which is transposed, and tau with mode="raw"."""
    modes = {"reduced": "economic", "complete": "full", "full": "full", "r": "r"}
    if is_aesara:  # Theano's own function
        return part("tensor.nlinalg").qr(a, mode)
    result = library("qr")(a, mode=modes.get(mode, mode))
    if mode == "raw" and len(result) == 3:  # scipy's: the triangle too
        return [result[0].T, result[1]]
    return result[0] if mode == "r" and isinstance(result, (list, tuple)) else result


def eig(a: Any) -> Any:
    """Eigenvalues and eigenvectors in the type of `a`: their real parts, where they are complex."""
    a = tensor(a)
    found = library("eig")(a)
    return [pt.cast(pt.real(x) if x.dtype.startswith("complex") else x, a.dtype) for x in found]


def eigh(a: Any, UPLO: str = "L") -> Any:
    """numpy's eigh: another driver of LAPACK would choose other signs of the eigenvectors."""
    function = library("eigh")
    if "driver" in getattr(getattr(function, "__code__", None), "co_varnames", ()):
        return function(a, lower=UPLO == "L", driver="evd")
    return function(a, UPLO=UPLO)


def eigvalsh(a: Any, b: Any, lower: bool = True) -> Any:
    if b is None or getattr(b, "data", b) is None:  # NoneConst
        return eigh(a, "L" if lower else "U")[0]
    return library("eigvalsh")(a, b, lower=lower)


def lstsq(*arguments: Any) -> Any:
    """Theano's is a class: lstsq()(x, y, rcond)."""
    return library("lstsq")(*arguments) if arguments else library("lstsq")


def svd(a: Any, full_matrices: Any = 1, compute_uv: Any = 1) -> Any:
    return library("svd")(a, bool(full_matrices), bool(compute_uv))


def norm(x: Any, ord: Any) -> Any:
    """A norm of a vector or a matrix, by its numpy name."""
    x = tensor(x)
    if x.ndim == 0:
        raise ValueError("norm takes a vector or a matrix, got a scalar")
    if x.ndim > 2:
        raise NotImplementedError("norm: the theano alias serves vectors and matrices")
    return library("norm")(x, ord)


def kron(a: Any, b: Any) -> Any:
    """The Kronecker product, with a.ndim + b.ndim - 2 dimensions as in old scipy."""
    a, b = tensor(a), tensor(b)
    if a.ndim + b.ndim <= 2:
        raise TypeError(
            "kron: inputs dimensions must sum to 3 or more, got %d and %d" % (a.ndim, b.ndim)
        )
    product = pt.outer(a, b).reshape((*a.shape, *b.shape), ndim=a.ndim + b.ndim)
    if product.ndim == 3:
        return product.dimshuffle(1, 0, 2).flatten()
    rest = range(3, product.ndim)
    product = product.dimshuffle(0, 2, 1, *rest)
    return product.reshape(
        (
            product.shape[0] * product.shape[1],
            product.shape[2] * product.shape[3],
            *[product.shape[i] for i in range(4, product.ndim)],
        )
    )


def _as_floats(x: Any) -> Any:
    """Small integers as float32, as old scipy took them: newer ones and PyTensor differ."""
    x = tensor(x)
    if "int" not in x.dtype:
        return x
    return pt.cast(x, "float32" if x.dtype.endswith(("int8", "int16")) else "float64")


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
        a, b = _as_floats(a), _as_floats(b)
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

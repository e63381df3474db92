"""Second derivatives: the mode of a posterior by Newton's method, and a normal approximation there.

ctc_loss is differentiated twice, which gives the exact Hessian of a likelihood that sums over all
alignments.
"""

import sys
from typing import Any, Callable, Dict, List, Tuple

import emissions
import numpy as np

import standalone

NAMES = emissions.MEAN_NAMES + ["ln sigma"]


def compute(results: Dict[str, Any], short: bool) -> None:
    results.update(rows=6 if short else 40, newton=[])
    value, slope, products = _functions(emissions.make(results["rows"]))
    at = np.append(emissions.MEANS + 0.3, np.log(1.0))
    for _ in standalone.progress(range(3 if short else 12), "Newton"):
        hessian, gradient = products(np.tile(at, (len(at), 1)), np.eye(len(at))), slope(at)
        results["newton"].append([float(value(at)), float(np.abs(gradient).max())])
        results.update(mode=at.tolist(), hessian=hessian.tolist())
        if np.abs(gradient).max() < 1e-9:
            break
        at = _newton(value, at, gradient, hessian)
    results["apart"] = _check(slope, products, np.array(results["mode"]))
    if not short:
        results["_plane"] = _plane(value, np.array(results["mode"]), np.array(results["hessian"]))


def _newton(
    value: Callable[..., Any], at: np.ndarray, gradient: np.ndarray, hessian: np.ndarray
) -> np.ndarray:
    """The next point: downhill by absolute eigenvalues, halved until the value falls."""
    sizes, directions = np.linalg.eigh(hessian)
    step = directions.dot(directions.T.dot(gradient) / np.abs(sizes))
    share, start = 1.0, value(at)
    while value(at - share * step) > start + 1e-9 and share > 1e-4:
        share /= 2
    return at - share * step


def _functions(data: Any) -> Tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    """-ln of the posterior density of (means, ln sigma), its gradient, and Hessian products.

    The products take D points (D, P) and one vector for each (D, P).
    """
    import pytensor
    import pytensor.tensor as pt

    points, vectors, at = pt.dmatrix("points"), pt.dmatrix("vectors"), pt.dvector("at")
    gradients = pytensor.grad(_values(points, data).sum(), points)
    products = pytensor.grad((gradients * vectors).sum(), points, consider_constant=[vectors])
    value = _values(at[None], data)[0]
    # The products run a dozen times, which is faster than to compile their scan.
    python = pytensor.compile.mode.Mode("py", "fast_run")
    return (
        pytensor.function([at], value),
        pytensor.function([at], pytensor.grad(value, at)),
        pytensor.function([points, vectors], products, mode=python),
    )


def _values(points: Any, data: Any) -> Any:
    """(D,) -ln of the posterior density at D points."""
    import pytensor.tensor as pt

    means, log_sigma = points[:, :-1], points[:, -1]
    # Normal(0, 3) for the means, HalfNormal(2) for sigma.
    prior = -0.5 * ((means / 3) ** 2).sum(axis=1) - pt.exp(2 * log_sigma) / 8 + log_sigma
    return -prior - emissions.log_likelihood(means, pt.exp(log_sigma), data)


def _check(
    slope: Callable[..., Any], products: Callable[..., Any], at: np.ndarray, step: float = 1e-5
) -> float:
    """Relative difference between Hessian-vector products and central differences of gradients."""
    vectors = np.random.RandomState(0).randn(3, len(at))
    exact = products(np.tile(at, (3, 1)), vectors)
    changes = [slope(at + step * vector) - slope(at - step * vector) for vector in vectors]
    differences = np.array(changes) / (2 * step)
    return float(np.abs(exact - differences).max() / np.abs(exact).max())


def _plane(
    value: Callable[..., Any], mode: np.ndarray, hessian: np.ndarray, points: int = 41
) -> Tuple[Any, ...]:
    """Exact and normal density over the means of labels 1 and 2, relative to the mode.

    The other parameters are those of the mode.
    """
    first, second = 1, 2
    precision = hessian[np.ix_([first, second], [first, second])]
    reach = 4.2 / np.sqrt(np.diag(precision))
    x, y = (mode[i] + np.linspace(-r, r, points) for i, r in zip((first, second), reach))
    exact, normal, start = np.zeros((points, points)), np.zeros((points, points)), value(mode)
    for i, j in standalone.progress(list(np.ndindex(points, points)), "density"):
        at = mode.copy()
        at[[first, second]] = x[j], y[i]
        away = at[[first, second]] - mode[[first, second]]
        exact[i, j] = np.exp(start - value(at))
        normal[i, j] = np.exp(-0.5 * away.dot(precision).dot(away))
    return x, y, exact, normal


def draw(results: Dict[str, Any], path: str) -> List[str]:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    if "hessian" not in results:
        return ["stopped before the first Hessian"]
    sd = np.sqrt(np.diag(np.linalg.inv(np.array(results["hessian"]))))
    figure, axes = plt.subplots(1, 2, figsize=(10.5, 4.6), constrained_layout=True)
    axes[0].semilogy([size for _, size in results["newton"]], marker="o", color="#1b4965")
    axes[0].set_title("Newton's method with exact Hessians", loc="left", fontsize=11)
    axes[0].set_xlabel("step")
    axes[0].set_ylabel("largest element of the gradient")
    if "_plane" in results:
        x, y, exact, normal = results["_plane"]
        levels = np.exp(-0.5 * np.array([9.0, 4.0, 1.0]))  # one, two and three standard deviations
        axes[1].contour(x, y, exact, levels=levels, colors="#1b4965")
        axes[1].contour(x, y, normal, levels=levels, colors="#e07a1f", linestyles="--")
        axes[1].plot([], [], color="#1b4965", label="exact")
        axes[1].plot([], [], color="#e07a1f", linestyle="--", label="normal, from the Hessian")
        mode = dict(marker="+", color="black", linestyle="none", label="mode")
        axes[1].plot(*results["mode"][1:3], **mode)
        axes[1].set_title("posterior, at 1, 2 and 3 standard deviations", loc="left", fontsize=11)
        axes[1].legend(frameon=False, loc="upper center", ncol=3, fontsize=9)
    axes[1].set_xlabel(NAMES[1])
    axes[1].set_ylabel(NAMES[2])
    figure.savefig(path, dpi=90)
    truth = np.append(emissions.MEANS, np.log(emissions.SIGMA))
    lines = [
        "%d rows; gradient %.1e after %d steps of Newton's method"
        % (results["rows"], results["newton"][-1][1], len(results["newton"]) - 1)
    ]
    if "apart" in results:
        lines.append(
            "Hessian-vector products and differences of gradients: %.1e apart (relative)"
            % results["apart"]
        )
    return lines + [
        "%-18s true %6.3f, mode %6.3f +- %.3f" % row
        for row in zip(NAMES, truth, results["mode"], sd)
    ]


if __name__ == "__main__":
    sys.exit(standalone.main("laplace", compute, draw))

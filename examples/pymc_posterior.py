"""PyMC: the posterior of emission parameters by NUTS, with ctc_loss as the likelihood.

The labels are known, their times are not.
"""

import sys
from typing import Any, Dict, List

import emissions
import numpy as np

import standalone

NAMES = emissions.MEAN_NAMES + ["sigma"]


def compute(results: Dict[str, Any], short: bool) -> None:
    import pymc as pm

    results.update(_pymc=pm.__version__, rows=10 if short else 40)
    data = emissions.make(results["rows"])
    with pm.Model():
        means = pm.Normal("means", 0, 3, shape=len(emissions.MEANS))
        sigma = pm.HalfNormal("sigma", 2)
        pm.Potential("ctc", emissions.log_likelihood(means[None], sigma[None], data)[0])
        steps = 20 if short else 500
        found = pm.sample(
            draws=steps,
            tune=steps,
            chains=2,
            cores=1,
            random_seed=1,
            progressbar=sys.stderr.isatty(),
            initvals={"means": np.linspace(-0.1, 0.1, 4), "sigma": 1.5},
            compute_convergence_checks=False,
        )
    draws = np.concatenate(
        [found.posterior["means"].values, found.posterior["sigma"].values[:, :, None]], axis=2
    )
    results["_draws"] = draws  # (chains, draws, parameters)
    results.update(
        draws=int(draws.shape[1]),
        divergences=int(found.sample_stats["diverging"].values.sum()),
        mean=draws.mean(axis=(0, 1)).tolist(),
        sd=draws.std(axis=(0, 1)).tolist(),
        r_hat=_r_hat(draws).tolist(),
    )


def _r_hat(draws: np.ndarray) -> np.ndarray:
    """Potential scale reduction of each parameter, with split chains.

    Gelman et al., Bayesian Data Analysis, section 11.4.
    """
    half = draws.shape[1] // 2
    split = np.concatenate([draws[:, :half], draws[:, -half:]])
    within, between = split.var(axis=1, ddof=1).mean(axis=0), split.mean(axis=1).var(axis=0, ddof=1)
    return np.sqrt((half - 1) / half + between / within)


def draw(results: Dict[str, Any], path: str) -> List[str]:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    if "_draws" not in results:
        return ["stopped before the first draw"]
    truth = np.append(emissions.MEANS, emissions.SIGMA)
    data = emissions.make(results["rows"])
    figure, axes = plt.subplots(
        2, 1, figsize=(10, 6.5), constrained_layout=True, gridspec_kw={"height_ratios": (1.3, 2)}
    )
    axes[0].plot(data[0][0], drawstyle="steps-mid", color="#1b4965", marker="o", markersize=3)
    labels = " ".join(map(str, data[1][0]))
    title = "one row of the data; its labels, %s, are known, their times are not" % labels
    axes[0].set_title(title, loc="left", fontsize=11)
    axes[0].set_xlabel("frame")
    axes[0].set_ylabel("observed number")
    colors = ["#8d99ae", "#1b4965", "#2a9d8f", "#e07a1f", "#c1121f"]
    for values, true, name, color in zip(
        np.moveaxis(results["_draws"], 2, 0), truth, NAMES, colors
    ):
        axes[1].hist(values.ravel(), bins=50, density=True, color=color, alpha=0.75, label=name)
        axes[1].axvline(true, color=color, linewidth=1.2, linestyle="--")
    axes[1].set_title("posterior (NUTS), and the true values (dashed)", loc="left", fontsize=11)
    axes[1].set_xlabel("value of the parameter")
    axes[1].set_ylabel("density")
    axes[1].set_yticks([])
    axes[1].legend(frameon=False, loc=(0.12, 0.55))
    for panel in axes:
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)
    figure.savefig(path, dpi=90)
    lines = [
        "PyMC %s: %d rows, %d draws of 2 chains, %d divergences"
        % (results["_pymc"], results["rows"], results["draws"], results["divergences"])
    ]
    return lines + [
        "%-18s true %6.3f, posterior %6.3f +- %.3f, r-hat %.3f" % row
        for row in zip(NAMES, truth, results["mean"], results["sd"], results["r_hat"])
    ]


if __name__ == "__main__":
    sys.exit(standalone.main("pymc_posterior", compute, draw))

"""A Bayesian workflow in pictures that ArviZ draws, from a fit's tree (``plots/arviz``).

Each is one call that a person can repeat on the stored file; ``docs/arviz.md`` shows them and
says how to read them.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xarray as xr

#: Every so many draws of a chain are drawn as a trace; all are used for everything else.
_EVERY = 4
#: What a forest shows of a model of many markers: some ninety parameters are no picture.
_OF_MANY = ["visit_change", "change_sd", "residual_sd"]
#: Replicated data sets that a predictive check shows.
_REPLICATES = 50
#: Pictures that say how the sampler did, and nothing of the answers.
DIAGNOSTIC = ("03_rank", "04_energy", "05_convergence")


def _last_visit(tree: xr.DataTree) -> dict[str, list[float]]:
    return {"later_visit": [float(tree["posterior"]["later_visit"].to_numpy()[-1])]}


def _khat(tree: xr.DataTree) -> Any:
    import arviz_plots
    import arviz_stats

    return arviz_plots.plot_khat(arviz_stats.loo(tree, pointwise=True))


def calls(tree: xr.DataTree) -> dict[str, Callable[[], Any]]:
    """The pictures of a fit in the order of a workflow, each as a call of ArviZ.

    Parameters
    ----------
    tree : DataTree
        A fit; what it has no groups for is not drawn.

    Returns
    -------
    dict
        Name of the picture to a function that draws it and returns ArviZ's ``PlotCollection``.
    """
    import arviz_plots as azp

    last = _last_visit(tree)
    answer: dict[str, Any] = {"var_names": ["visit_change"], "coords": last}
    many = [name for name in _OF_MANY if name in tree["posterior"].data_vars]
    named = many if tree["posterior"].sizes["marker"] > 2 else None
    thinned = tree.isel(draw=slice(None, None, _EVERY))
    found: dict[str, Callable[[], Any]] = {
        "01_prior_predictive": lambda: azp.plot_ppc_dist(
            tree, group="prior_predictive", num_samples=_REPLICATES
        ),
        "02_trace": lambda: azp.plot_trace(thinned, **answer),
        "03_rank": lambda: azp.plot_rank(tree, **answer),
        "04_energy": lambda: azp.plot_energy(tree),
        "05_convergence": lambda: azp.plot_convergence_dist(tree),
        "06_forest": lambda: azp.plot_forest(tree, var_names=named, combined=True),
        "07_prior_posterior": lambda: azp.plot_prior_posterior(tree, **answer),
        "08_posterior_predictive": lambda: azp.plot_ppc_dist(tree, num_samples=_REPLICATES),
        "09_predictive_pit": lambda: azp.plot_ppc_pit(tree),
        "10_predictive_interval": lambda: azp.plot_ppc_interval(tree),
        "11_loo_pit": lambda: azp.plot_loo_pit(tree),
        "12_khat": lambda: _khat(tree),
        "13_power_scaling": lambda: azp.plot_psense_quantities(tree, **answer),
    }
    needs = {
        "01_prior_predictive": ("prior_predictive/measurement",),
        "04_energy": ("sample_stats/energy",),
        "07_prior_posterior": ("prior/visit_change",),
        "08_posterior_predictive": ("posterior_predictive/measurement",),
        "09_predictive_pit": ("posterior_predictive/measurement",),
        "10_predictive_interval": ("posterior_predictive/measurement",),
        "11_loo_pit": ("posterior_predictive/measurement", "log_likelihood/measurement"),
        "12_khat": ("log_likelihood/measurement",),
        "13_power_scaling": ("log_likelihood/measurement", "log_prior"),
    }

    def there(place: str) -> bool:
        group, _, name = place.partition("/")
        return group in tree.children and (not name or name in tree[group].data_vars)

    return {name: call for name, call in found.items() if all(map(there, needs.get(name, ())))}


@contextmanager
def _quiet() -> Iterator[None]:
    """Draw off screen in ArviZ's style, and without the warnings that a picture itself shows."""
    import arviz_plots
    import matplotlib as mpl

    with (
        mpl.rc_context({"svg.hashsalt": "mnbayes", "svg.fonttype": "none"}),
        warnings.catch_warnings(),
    ):
        # k-hat above 0.7: that is what the picture of k-hat is for.
        warnings.filterwarnings("ignore", "Estimated shape parameter of Pareto", UserWarning)
        use_style: Any = arviz_plots.style.use  # ArviZ states no types here
        use_style("arviz-variat")
        yield


def write_arviz_pictures(tree: xr.DataTree, folder: Path, *, withheld: bool = False) -> None:
    """Draw the pictures of a fit (see :func:`calls`) as SVG files.

    Parameters
    ----------
    tree : DataTree
        Its title is written above each picture: that of a synthetic cohort says so.
    folder : Path
        Is made.
    withheld : bool
        Whether the fit failed its gate and its numbers are not shown: then only
        :data:`DIAGNOSTIC` are drawn, which help to see why.
    """
    folder.mkdir(parents=True)
    for name, picture in arviz_pictures(tree, withheld=withheld):
        (folder / f"{name}.svg").write_bytes(picture)


def arviz_pictures(tree: xr.DataTree, *, withheld: bool = False) -> Iterator[tuple[str, bytes]]:
    """The pictures of :func:`write_arviz_pictures` one by one: name and SVG."""
    import matplotlib.pyplot as plt

    for name, draw in calls(tree).items():
        if withheld and name not in DIAGNOSTIC:
            continue
        with _quiet():
            picture = _svg(draw(), tree.attrs.get("title", ""))
            plt.close("all")
        yield name, picture


def _svg(collection: Any, title: str) -> bytes:
    """A picture with the tree's title above it; the same draws give the same bytes."""
    figure = collection.viz["figure"].item()
    figure.suptitle(title, fontsize=9, color="0.4", ha="left", x=0.01, parse_math=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()

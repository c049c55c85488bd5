"""The pictures of a model card, drawn from the same figures as its tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..evaluation.records.pictures import save_picture

METHODS = {
    "PCA-32": "0.8",
    "PCA, 5 aligned channels": "0.6",
    "PCA-12, whitened traces": "0.4",
    "PCA-12, whitened, on the probe": "0.2",
    "model": "tab:blue",
    "model + location": "tab:cyan",
    "model + own location": "tab:green",
}
DENOISERS = {"PCA": "0.6", "random decoder": "tab:orange", "model": "tab:blue"}
EMBEDDING_PLOT = "embedding.png"
DENOISER_PLOT = "denoiser.png"
LEGEND_COLUMNS = 3


def draw_card_plots(rows: list[dict], folder: str | Path) -> list[str]:
    """Draw what the rows hold figures of.

    Args:
        rows: of a file written by `scripts/evaluate.py`.
        folder: for `embedding.png` and `denoiser.png`; existing ones are replaced.

    Returns:
        Names of the files, in the order in which a card shows them.
    """
    drawn = [_draw_embedding(rows, Path(folder))]
    if any(row.get("denoising") for row in rows):
        drawn.append(_draw_denoiser(rows, Path(folder)))
    return drawn


def _draw_embedding(rows: list[dict], folder: Path) -> str:
    """Agreement of Gaussian mixtures with the truth, by condition and method."""
    conditions = list(dict.fromkeys(row["condition"] for row in rows))

    def scores(condition: str, method: str) -> np.ndarray:
        of_condition = [row for row in rows if row["condition"] == condition]
        return np.concatenate([row["methods"][method]["all"]["mixture_ari"] for row in of_condition])

    methods = [name for name in METHODS if all(name in row["methods"] for row in rows)]
    series = {method: [scores(condition, method) for condition in conditions] for method in methods}
    return _draw_bars(
        conditions, series, METHODS, "adjusted Rand index,\ntrue number of units", folder / EMBEDDING_PLOT
    )


def _draw_denoiser(rows: list[dict], folder: Path) -> str:
    """SNR gain by the SNR of the clean spike, a value per recording."""
    entries = [entry for row in rows for entry in row.get("denoising", [])]
    # The bin of all spikes is no bin of its own in a picture.
    bins = sorted({(e["snr_min"], e["snr_max"] or np.inf) for e in entries} - {(0.0, np.inf)})
    series = {}
    for name in DENOISERS:
        gains = [
            [e["denoisers"][name]["gain_db"] for e in entries if (e["snr_min"], e["snr_max"] or np.inf) == limits]
            for limits in bins
            if all(name in e["denoisers"] for e in entries)
        ]
        if gains:
            series[name] = gains
    labels = [f"SNR {low:g} and more" if high == np.inf else f"SNR {low:g} to {high:g}" for low, high in bins]
    return _draw_bars(labels, series, DENOISERS, "SNR gain, dB", folder / DENOISER_PLOT)


def _draw_bars(labels: list[str], series: dict[str, list], colors: dict[str, str], quantity: str, path: Path) -> str:
    """Draw the mean and SD of `series[name][place]` for each label."""
    # Not by pyplot, which would open windows and keep every figure.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.8 + 1.5 * len(labels), 3.2), dpi=110, layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(series)
    for place, (name, values) in enumerate(series.items()):
        x = np.arange(len(labels)) + (place - (len(series) - 1) / 2) * width
        means, spreads = [np.mean(v) for v in values], [np.std(v) for v in values]
        axes.bar(x, means, width, yerr=spreads, color=colors[name], label=name, error_kw={"linewidth": 0.8})
    axes.axhline(0, color="k", linewidth=0.6)
    axes.set_xticks(range(len(labels)), labels)
    axes.set_ylabel(quantity)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(
        frameon=False,
        fontsize=8,
        ncols=min(len(series), LEGEND_COLUMNS),
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
    )
    return save_picture(figure, path)

"""What adapting a checkpoint to a recording brings: its features, its denoiser and the sort, before and after."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from ...adaptation import AdaptationParameters, adapt
from ...sorting.sorter import SpikeSorter
from ..records.run_record import ResultFile, describe_environment, hash_weights, plain
from ..records.tables import markdown_table, mean_and_sd
from ..sorters.ground_truth import nearest_units, score_sorting
from .added_spikes import add_spikes_at_rest, evaluate_denoiser
from .embedding import METHOD, agreement, cluster_by_density, cluster_by_kmeans, cluster_by_mixture
from .feature_sets import model_features, own_features
from .true_spikes import true_spikes

if TYPE_CHECKING:
    from spikeinterface.core import BaseSorting

    from ...simulation.recordings.injection import GroundTruthRecording
    from ...simulation.recordings.recordings import RecordingParameters
    from .true_spikes import TrueSpikes

NUM_MIXTURE_SEEDS = 3


def evaluate_adaptation(
    model: str,
    output: str | Path,
    conditions: dict,
    seeds: Sequence[int],
    parameters: AdaptationParameters | None = None,
    *,
    progress: bool = True,
) -> dict:
    """Adapt a checkpoint to each of some recordings and measure it there; go on where a run was cut short.

    The truth is used to measure alone: what is trained on is what the sorter found.

    Args:
        model: checkpoint.
        output: JSON file of the rows; an existing one of the same model and parameters is continued.
        conditions: name -> `RecordingParameters`.
        seeds: of the recordings.
        parameters: how it is adapted.
        progress: show a progress bar.

    Returns:
        Content of the file; each row has `condition`, `recording`, `before`, `after` and `seconds` of adaptation.

    Raises:
        ValueError: a file of another model or of other parameters.
    """
    from ...simulation.recordings.recordings import generate_recording

    parameters = parameters or AdaptationParameters()
    sorter = SpikeSorter.from_pretrained(model, device="cpu")
    identity = {
        "figures": "adaptation",
        "model_sha256": hash_weights(sorter.model),
        "adaptation": plain(parameters),
        "method": METHOD,
    }
    results = ResultFile(output, identity)
    results.add_run(describe_environment())
    cases = [(name, dataclasses.replace(conditions[name], seed=seed)) for name in conditions for seed in seeds]
    for condition, recording in tqdm(cases, desc="adaptation", disable=not progress):
        if not results.has_row(condition=condition, recording=plain(recording)):
            truth = generate_recording(recording)
            row = {"condition": condition, "recording": plain(recording)}
            results.add_row({**row, **_measure(model, sorter, truth, recording, parameters)})
    return results.content


def adaptation_table(rows: list[dict]) -> str:
    """Mean ± SD over recordings before and after, a condition and a set of features per line."""
    lines = []
    for condition in dict.fromkeys(row["condition"] for row in rows):
        own = [row for row in rows if row["condition"] == condition]
        for features in own[0]["before"]["agreement"]:
            cells = [
                f"{_figure(own, 'before', features, score)} → {_figure(own, 'after', features, score)}"
                for score in ("kmeans", "mixture", "density")
            ]
            lines.append([condition, features, *cells])
    return markdown_table(["condition", "features", "k-means", "mixture", "HDBSCAN"], lines, num_text_columns=2)


def around_table(rows: list[dict]) -> str:
    """Mean ± SD over recordings of what lies around the features: denoiser (beside the low-rank one), sort and time."""
    lines = []
    for condition in dict.fromkeys(row["condition"] for row in rows):
        own = [row for row in rows if row["condition"] == condition]
        cells = [
            f"{mean_and_sd([row['before'][name] for row in own], digits)} → "
            f"{mean_and_sd([row['after'][name] for row in own], digits)}"
            for name, digits in (("denoiser_gain_db", 1), ("sorting_accuracy", 2), ("num_wrong_units", 1))
        ]
        agreement_of_units = mean_and_sd([row["sorted_units"] for row in own])
        low_rank = mean_and_sd([row["before"]["pca_gain_db"] for row in own], 1)
        lines.append([condition, agreement_of_units, low_rank, *cells, mean_and_sd([row["seconds"] for row in own], 0)])
    header = ["condition", "sorted units", "PCA (dB)", "denoiser (dB)", "sort", "wrong units", "adaptation (s)"]
    return markdown_table(header, lines)


def _figure(rows: list[dict], when: str, features: str, score: str) -> str:
    return mean_and_sd([row[when]["agreement"][features][score] for row in rows])


def _measure(
    model: str,
    sorter: SpikeSorter,
    truth: GroundTruthRecording,
    recording_parameters: RecordingParameters,
    parameters: AdaptationParameters,
) -> dict:
    # Generated as it is read; it will be read several times.
    recording = truth.recording.save(format="memory", progress_bar=False, verbose=False)
    seed = recording_parameters.seed
    spikes = true_spikes(recording, truth.sorting, truth.unit_snr, seed=seed)
    added = add_spikes_at_rest(recording, recording_parameters)
    sorting = sorter.sort(recording, seed=parameters.seed).sorting
    row = {"before": _figures(sorter, sorting, spikes, added, truth)}
    row["sorted_units"] = agreement(spikes.labels, nearest_units(spikes.peaks["sample_index"], sorting)[None])[0]
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        checkpoint = adapt(model, recording, Path(folder) / "run", sorting, parameters, progress=False)
        row["seconds"] = round(time.perf_counter() - started, 1)
        adapted = SpikeSorter.from_pretrained(checkpoint, device="cpu")
    sorting = adapted.sort(recording, seed=parameters.seed).sorting
    return {**row, "after": _figures(adapted, sorting, spikes, added, truth)}


def _figures(
    sorter: SpikeSorter,
    sorting: BaseSorting,
    spikes: TrueSpikes,
    added: tuple[TrueSpikes, np.ndarray],
    truth: GroundTruthRecording,
) -> dict:
    """What one checkpoint gives; plain JSON values."""
    features = own_features(spikes, model_features(spikes, sorter.model, sorter.feature_extractor))
    denoiser = evaluate_denoiser(*added, sorter.model, sorter.feature_extractor)
    faint = [row for row in denoiser if row["snr_min"] == 4.0]
    _, summary = score_sorting(sorting, truth.sorting, truth.unit_snr)
    return {
        "agreement": {name: _agreement(spikes.labels, values) for name, values in features.items()},
        "denoiser_gain_db": faint[0]["denoisers"]["model"]["gain_db"] if faint else None,
        "pca_gain_db": faint[0]["denoisers"]["PCA"]["gain_db"] if faint else None,
        "sorting_accuracy": summary["accuracy_snr3"],
        "num_wrong_units": summary["num_false_positive_units"] + summary["num_redundant_units"],
    }


def _agreement(labels: np.ndarray, features: np.ndarray) -> dict:
    """Agreement of what each kind of clustering finds in features."""
    num_units = len(np.unique(labels))
    clusterings = {
        "kmeans": cluster_by_kmeans(features, num_units),
        "mixture": cluster_by_mixture(features, num_units, range(NUM_MIXTURE_SEEDS)),
        "density": cluster_by_density(features)[None],
    }
    return {name: agreement(labels, found)[0] for name, found in clusterings.items()}

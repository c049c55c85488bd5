"""Evaluate a model on the held-out conditions: every figure of its card."""

from __future__ import annotations

import dataclasses
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from ..records.run_record import ResultFile, describe_environment, hash_weights, plain
from .added_spikes import add_spikes_at_rest, evaluate_denoiser
from .baselines import WHITENED_COMPONENTS
from .embedding import (
    KMEANS_STARTS,
    METHOD,
    agreement,
    cluster_by_density,
    cluster_by_kmeans,
    cluster_by_mixture,
    neighbor_accuracy,
)
from .feature_sets import compared_features, model_features
from .robustness import RATES_HZ, compare_variants, cut_window, mask_channels
from .template_oracle import template_oracle_labels
from .true_spikes import true_spikes

if TYPE_CHECKING:
    import torch

    from ...model.feature_extraction_huidurep import HuiduRepFeatureExtractor
    from ...model.modeling_huidurep import HuiduRepModel
    from ...simulation.recordings.recordings import RecordingParameters
    from .true_spikes import TrueSpikes

logger = logging.getLogger("huidurep_hf")

MOST_UNITS_FOR_RATES = 12
SNR_SUBSETS = {"all": 0.0, "snr3": 3.0, "snr8": 8.0}


@dataclasses.dataclass(frozen=True)
class EvaluationParameters:
    """What is evaluated.

    Attributes:
        conditions: names in `RECORDING_CONDITIONS`.
        recording_seeds: one recording of each condition for each.
        num_mixture_seeds: Gaussian mixtures fitted to each set of features.
        max_spikes_per_unit: true spikes drawn from each unit.
        with_variants: measure robustness too: the same spikes at other rates, in short windows, with dead channels.
            It takes most of a model's passes.
    """

    conditions: tuple[str, ...]
    recording_seeds: tuple[int, ...] = (100, 101, 102)
    num_mixture_seeds: int = 10
    max_spikes_per_unit: int = 200
    with_variants: bool = True


def evaluate(
    model_name: str | Path,
    output: str | Path,
    parameters: EvaluationParameters,
    *,
    config_changes: dict | None = None,
    device: str | torch.device | None = None,
    progress: bool = True,
) -> dict:
    """Evaluate a checkpoint on held-out recordings; go on where an earlier run of the same was cut short.

    Args:
        model_name: hub name or folder.
        output: JSON file of the figures.
        parameters: [`EvaluationParameters`].
        config_changes: fields of the configuration to load the weights with, such as `{"fuse_denoised": False}`.
        device: where the model runs; a GPU where there is one if left out.
        progress: show a progress bar.

    Returns:
        The content of the file: `identity`, `runs` (environments) and one row per condition and recording seed.

    Raises:
        ValueError: an unknown condition, field or device, or an output file that holds figures of another model or
            without the variants that are asked for.
    """
    from ...device import choose_device
    from ...model.feature_extraction_huidurep import HuiduRepFeatureExtractor
    from ...model.modeling_huidurep import HuiduRepModel
    from ...simulation.recordings.recordings import RECORDING_CONDITIONS

    unknown = sorted(set(parameters.conditions) - set(RECORDING_CONDITIONS))
    if unknown:
        raise ValueError(f"Unknown conditions {unknown}; there are {sorted(RECORDING_CONDITIONS)}.")
    device = choose_device(device)
    model = HuiduRepModel.from_pretrained(model_name, **_known_fields(config_changes or {})).to(device)
    feature_extractor = HuiduRepFeatureExtractor.from_pretrained(model_name)
    results = open_results(output, model_name, model, parameters)
    if parameters.with_variants and any("robustness" not in row for row in results.rows):
        raise ValueError(f"{output} holds rows without variants of spikes; leave these out too, or give another file.")
    cases = [(condition, seed) for condition in parameters.conditions for seed in parameters.recording_seeds]
    for condition, seed in tqdm(cases, desc="evaluate", disable=not progress):
        recording = dataclasses.replace(RECORDING_CONDITIONS[condition], seed=seed)
        if results.has_row(condition=condition, recording=plain(recording)):
            logger.info("%s, seed %d: already in %s", condition, seed, output)
            continue
        row = {"condition": condition, "recording_seed": seed, "recording": plain(recording)}
        row.update(evaluate_recording(recording, model, feature_extractor, parameters))
        results.add_row(row)
    return results.content


def evaluate_recording(
    recording_parameters: RecordingParameters,
    model: HuiduRepModel,
    feature_extractor: HuiduRepFeatureExtractor,
    parameters: EvaluationParameters,
) -> dict:
    """Generate one recording and measure embeddings and denoiser on it; plain JSON values."""
    from ...simulation.recordings.recordings import generate_recording

    started = time.perf_counter()
    truth = generate_recording(recording_parameters)
    # Generated as it is read; it will be read several times.
    recording = truth.recording.save(format="memory", progress_bar=False, verbose=False)
    seed = recording_parameters.seed
    spikes = true_spikes(
        recording, truth.sorting, truth.unit_snr, max_spikes_per_unit=parameters.max_spikes_per_unit, seed=seed
    )
    figures = evaluate_spikes(spikes, model, feature_extractor, num_seeds=parameters.num_mixture_seeds)
    if parameters.with_variants:
        variants = {
            "20 % of the channels dead": mask_channels(spikes, seed=seed),
            "window of 1.04 ms": cut_window(spikes),
            **_other_rates(recording_parameters, parameters),
        }
        varied = compare_variants(variants, model, feature_extractor, num_seeds=parameters.num_mixture_seeds)
        as_recorded = {name: figures["methods"][name]["all"]["mixture_ari"] for name in ("PCA-32", "model")}
        figures["robustness"] = {"as recorded": as_recorded, **varied}
    noisy, clean = add_spikes_at_rest(recording, recording_parameters)
    figures["denoising"] = evaluate_denoiser(noisy, clean, model, feature_extractor)
    figures["seconds"] = round(time.perf_counter() - started, 1)
    return figures


def _known_fields(config_changes: dict) -> dict:
    """Refuse names that no configuration has: `from_pretrained` would pass them on as something else."""
    from ...model.configuration_huidurep import HuiduRepConfig

    unknown = sorted(set(config_changes) - set(HuiduRepConfig().to_dict()))
    if unknown:
        raise ValueError(f"Unknown fields of the configuration: {unknown}; see HuiduRepConfig.")
    return config_changes


def _other_rates(recording_parameters: RecordingParameters, parameters: EvaluationParameters) -> dict:
    """The same units recorded at other rates: on small probes alone, where recordings are quickly made."""
    from ...simulation.recordings.recordings import generate_recording

    variants = {}
    for rate in RATES_HZ if recording_parameters.num_units <= MOST_UNITS_FOR_RATES else ():
        truth = generate_recording(dataclasses.replace(recording_parameters, sampling_rate=rate))
        spikes = true_spikes(
            truth.recording,
            truth.sorting,
            truth.unit_snr,
            max_spikes_per_unit=parameters.max_spikes_per_unit,
            seed=recording_parameters.seed,
        )
        variants[f"{rate / 1000:g} kHz"] = spikes
        if rate == max(RATES_HZ):
            variants[f"{rate / 1000:g} kHz, window of 1.04 ms"] = cut_window(spikes)
    return variants


def open_results(
    output: str | Path, model_name: str | Path, model: HuiduRepModel, parameters: EvaluationParameters
) -> ResultFile:
    """Open the file of figures of a model; only what changes a row is part of its identity."""
    identity = {
        "model_sha256": hash_weights(model),
        "model": str(model_name) if not Path(model_name).is_dir() else Path(model_name).name,
        "num_parameters": model.num_parameters(),
        "num_mixture_seeds": parameters.num_mixture_seeds,
        "max_spikes_per_unit": parameters.max_spikes_per_unit,
        "method": {
            **METHOD,
            "kmeans_starts": KMEANS_STARTS,
            "whitened_components": WHITENED_COMPONENTS,
            "location": "total variance of the features",
        },
    }
    results = ResultFile(output, identity)
    results.add_run(describe_environment())
    return results


def evaluate_spikes(
    spikes: TrueSpikes, model: HuiduRepModel, feature_extractor: HuiduRepFeatureExtractor, *, num_seeds: int = 10
) -> dict:
    """Compare a model's embeddings with the baselines on the true spikes of one recording.

    Args:
        spikes: [`~huidurep_hf.evaluation.representation.true_spikes.TrueSpikes`].
        model, feature_extractor: of HuiduRep.
        num_seeds: Gaussian mixtures per set of features.

    Returns:
        Plain JSON values: `num_units`, `num_spikes`, `unit_snr`, `spikes_per_s` of the model, and `methods`: name ->
        for each subset of units ("all", "snr3", "snr8"; the clustering is that of all) the `mixture_ari` of each
        seed, `kmeans_ari` of three, `density_ari`; and `density_num_units`, `neighbor_accuracy`.
    """
    output = model_features(spikes, model, feature_extractor)
    in_subset = {subset: spikes.spike_snr >= threshold for subset, threshold in SNR_SUBSETS.items()}
    in_subset = {subset: chosen for subset, chosen in in_subset.items() if chosen.any()}
    num_units, methods = len(np.unique(spikes.labels)), {}
    for name, features in compared_features(spikes, output).items():
        mixtures = cluster_by_mixture(features, num_units, range(num_seeds))
        means = cluster_by_kmeans(features, num_units)
        density = cluster_by_density(features)
        scores = {
            "neighbor_accuracy": neighbor_accuracy(features, spikes.labels),
            "density_num_units": int(density.max(initial=-1) + 1),
        }
        for subset, chosen in in_subset.items():
            labels = spikes.labels[chosen]
            scores[subset] = {
                "mixture_ari": [agreement(labels, found[None, chosen])[0] for found in mixtures],
                "kmeans_ari": [agreement(labels, found[None, chosen])[0] for found in means],
                "density_ari": agreement(labels, density[None, chosen])[0],
            }
        methods[name] = scores
    nearest = template_oracle_labels(spikes)
    return {
        "num_units": len(spikes.unit_ids),
        "num_spikes": len(spikes.labels),
        "unit_snr": [round(float(snr), 2) for snr in spikes.unit_snr],
        "spikes_per_s": round(output.spikes_per_s),
        "methods": methods,
        "template_oracle": {
            subset: agreement(spikes.labels[chosen], nearest[None, chosen])[0] for subset, chosen in in_subset.items()
        },
    }

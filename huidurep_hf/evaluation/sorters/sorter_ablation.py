"""What each piece of the sorter is worth: the same sorter without it, on the same development recordings."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from spikeinterface.core import NumpySorting
from tqdm import tqdm

from ...sorting.encoder import SpikeEncoder
from ...sorting.parameters import SortingParameters
from ...sorting.pipeline import sort_recording
from ...sorting.sorter import SpikeSorter
from ...sorting.spikes import Spikes
from ...workers import Workers
from ..records.run_record import ResultFile, describe_environment, hash_weights
from ..records.tables import markdown_table, mean_and_sd
from .encoder_variants import EncoderVariant, Replacement, denoised_centers_of_mass, pca_embedding, without_denoiser
from .ground_truth import score_sorting
from .true_clusters import sort_true_clusters

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording

    from ...simulation.recordings.injection import GroundTruthRecording

DURATION_S = 120.0
# In the usual noise; where there is more of it, the same units are accepted at a lower SNR.
SNR_RANGE = (5.0, 30.0)
SCORES = ("accuracy_snr3", "num_well_detected_units", "num_false_positive_units", "num_redundant_units")


AS_PUBLISHED = {"clustering": "gmm", "template_matching": "off", "motion": "off"}


@dataclasses.dataclass(frozen=True)
class Arm:
    """A variant of the sorter.

    Attributes:
        parameters: in place of the defaults.
        replacements: what takes the place of some of what the encoder says.
        knows_number: told the true number of units.
        knows_spikes: given the true units' spikes as its clusters.
    """

    parameters: dict[str, Any] = dataclasses.field(default_factory=dict)
    replacements: tuple[Replacement, ...] = ()
    knows_number: bool = False
    knows_spikes: bool = False


ARMS = {
    "the sorter": Arm(),
    "PCA-32 in place of the embedding": Arm(replacements=(pca_embedding,)),
    "centres of mass in place of the model's locations": Arm(replacements=(denoised_centers_of_mass,)),
    "without denoiser": Arm(replacements=(without_denoiser,)),
    "neither embedding nor denoiser": Arm(replacements=(pca_embedding, without_denoiser)),
    "first split by HDBSCAN": Arm({"clustering": "hdbscan"}),
    "whitened in space alone": Arm({"whiten_in_time": "off"}),
    "without template matching": Arm({"template_matching": "off"}),
    "without motion correction": Arm({"motion": "off"}),
    "without noise equalisation": Arm({"equalise_noise": "off"}),
    "templates at rest, matched in corrected traces": Arm({"drifting_templates": "off"}),
    "told the number of units (k-means)": Arm(knows_number=True),
    "told the number of units (k-means), of PCA-32": Arm(replacements=(pca_embedding,), knows_number=True),
    "one mixture of the true number of units, as published": Arm(AS_PUBLISHED, knows_number=True),
    "one mixture of the true number of units, of PCA-32": Arm(AS_PUBLISHED, (pca_embedding,), knows_number=True),
    "true spikes as clusters": Arm(knows_spikes=True),
}
FORMER_NAMES = {
    "without motion": "without motion correction",
    "noise left to follow the motion": "without noise equalisation",
    "matched in traces that were moved": "templates at rest, matched in corrected traces",
}
"""Of arms, in rows that were written earlier."""


def ablate_sorter(
    model: str | Path,
    output: str | Path,
    *,
    seeds: Sequence[int],
    arms: Sequence[str] | None = None,
    conditions: Sequence[str] | None = None,
    progress: bool = True,
) -> dict:
    """Run the arms on development recordings, 120 s; go on where a run was cut short.

    Units have an SNR of 5 to 30, and half of that in twice the noise.

    Args:
        model: checkpoint.
        output: JSON file of the rows; an existing one of the same model is continued.
        seeds: of the recordings.
        arms: names; all of `ARMS` if left out.
        conditions: names of `SORTER_DEVELOPMENT_CONDITIONS`; all if left out.
        progress: show a progress bar.

    Returns:
        Content of the file; each row has `arm`, `condition`, `recording_seed`, `scores` and `seconds`.

    Raises:
        ValueError: an unknown arm or condition, or a file of another model.
    """
    from ...simulation.recordings.recordings import (
        SORTER_DEVELOPMENT_CONDITIONS,
        RecordingParameters,
        generate_recording,
    )

    arms, conditions = list(arms or ARMS), list(conditions or SORTER_DEVELOPMENT_CONDITIONS)
    _refuse_unknown(arms, ARMS, "arms")
    _refuse_unknown(conditions, SORTER_DEVELOPMENT_CONDITIONS, "conditions")
    whole = SpikeSorter.from_pretrained(model, device="cpu")
    identity = {"figures": "sorter ablation", "model_sha256": hash_weights(whole.model)}
    results = ResultFile(output, {**identity, "snr_range": list(SNR_RANGE), "duration_s": DURATION_S})
    results.content["rows"] = _with_present_names(results.rows)
    results.add_run(describe_environment())
    encoder = SpikeEncoder(whole.model, whole.feature_extractor)
    with tqdm(total=len(arms) * len(conditions) * len(seeds), desc="ablate", disable=not progress) as bar:
        for condition in conditions:
            for seed in seeds:
                keys = [{"arm": arm, "condition": condition, "recording_seed": seed} for arm in arms]
                missing = [key for key in keys if not results.has_row(**key)]
                bar.update(len(keys) - len(missing))
                if not missing:
                    continue
                parameters = SORTER_DEVELOPMENT_CONDITIONS[condition]
                usual_noise = RecordingParameters.noise_level_uv / parameters.noise_level_uv
                snr_range = tuple(snr * usual_noise for snr in SNR_RANGE)
                chosen = {"snr_range": snr_range, "duration_s": DURATION_S, "seed": seed}
                truth = generate_recording(dataclasses.replace(parameters, **chosen))
                for key in missing:
                    results.add_row({**key, **_run(encoder, ARMS[key["arm"]], truth)})
                    bar.update()
    return results.content


def sorter_ablation_table(content: dict) -> str:
    """Markdown: an arm per line, mean accuracy of each condition (± SD over recordings), then means over all."""
    rows = _with_present_names(content["rows"])
    if not rows:
        return "No figures."
    conditions = list(dict.fromkeys(row["condition"] for row in rows))
    lines = []
    for arm in dict.fromkeys(row["arm"] for row in rows):
        of_arm = [row for row in rows if row["arm"] == arm]
        cells = [
            mean_and_sd([row["scores"]["accuracy_snr3"] for row in of_arm if row["condition"] == condition])
            for condition in conditions
        ]
        # A mean over other recordings than the others' would compare nothing.
        is_whole = len(of_arm) == max(sum(row["arm"] == other["arm"] for row in rows) for other in rows)
        means = [np.mean([row["scores"][name] for row in of_arm]) for name in SCORES]
        cells += [f"{value:.2f}" for value in means] if is_whole else [""] * len(SCORES)
        lines.append([arm, *cells])
    header = ["", *conditions, "mean accuracy", "units >= 0.8", "false", "redundant"]
    return markdown_table(header, lines)


def sort_arm(arm: Arm, encoder: SpikeEncoder, truth: GroundTruthRecording, workers: Workers) -> Spikes:
    """Sort a recording with a variant of the sorter; gives the table of every event.

    Args:
        arm: [`Arm`].
        encoder: of the whole sorter.
        truth: [`~huidurep_hf.simulation.recordings.injection.GroundTruthRecording`].
        workers: who share the blocks.
    """
    number = {"num_units": len(truth.sorting.unit_ids)} if arm.knows_number else {}
    parameters = SortingParameters(**arm.parameters, **number)
    variant = EncoderVariant(encoder, arm.replacements)
    if arm.knows_spikes:
        return sort_true_clusters(truth.recording, truth.sorting, variant, parameters, workers=workers)
    return sort_recording(truth.recording, variant, parameters, workers=workers).events


def _run(encoder: SpikeEncoder, arm: Arm, truth: GroundTruthRecording) -> dict:
    started = time.perf_counter()
    events = sort_arm(arm, encoder, truth, Workers())
    seconds = time.perf_counter() - started
    _, scores = score_sorting(_sorting_of(events, truth.recording), truth.sorting, truth.unit_snr)
    return {"scores": scores, "seconds": round(seconds, 1)}


def _sorting_of(events: Spikes, recording: BaseRecording) -> NumpySorting:
    """Spike trains of the units; every segment of the recording was used."""
    spikes = events[events["unit_index"] >= 0]
    segments = [spikes[spikes["segment_index"] == segment] for segment in range(recording.get_num_segments())]
    return NumpySorting.from_samples_and_labels(
        [segment["sample_index"] for segment in segments],
        [segment["unit_index"] for segment in segments],
        recording.get_sampling_frequency(),
        unit_ids=np.unique(spikes["unit_index"]),
    )


def _with_present_names(rows: list[dict]) -> list[dict]:
    """Rows, an arm that has been renamed under its present name."""
    return [{**row, "arm": FORMER_NAMES.get(row["arm"], row["arm"])} for row in rows]


def _refuse_unknown(names: Sequence[str], known: Sequence[str], what: str) -> None:
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ValueError(f"Unknown {what} {unknown}; there are {list(known)}.")

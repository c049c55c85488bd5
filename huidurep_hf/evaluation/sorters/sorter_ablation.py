"""What each piece of the sorter is worth: the same sorter without it, on the same development recordings."""

import dataclasses
import time

import numpy as np
from tqdm import tqdm

from ...embedding.peaks import embed_peaks, window_around_peak
from ...recording.motion.following import follow_motion
from ...recording.preprocessing.whitening import whiten
from ...recording.spikes.neighborhood import find_neighborhoods
from ...recording.spikes.waveforms import iterate_waveforms
from ...sorting.clustering.features import centers_of_mass
from ...sorting.parameters import SortingParameters
from ...sorting.sorter import SpikeSorter
from ..records.run_record import ResultFile, describe_environment, hash_weights
from ..records.tables import markdown_table, mean_and_sd
from ..representation.baselines import pca_features
from .ground_truth import score_sorting
from .true_clusters import sort_true_clusters

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
        use_embedding: or the first 32 principal components of the waveforms.
        use_locations: or the denoised spikes' centres of mass.
        use_denoiser: or location and amplitude of the waveforms as recorded.
        equalises_noise: of traces that were moved, or leaves it as interpolation makes it.
        moves_templates: and matches with the traces as recorded, or with those that were moved.
        whitens_in_time: or in space alone.
        knows_number: told the true number of units.
        knows_spikes: given the true units' spikes as its clusters.
    """

    parameters: dict = dataclasses.field(default_factory=dict)
    use_embedding: bool = True
    use_locations: bool = True
    use_denoiser: bool = True
    equalises_noise: bool = True
    moves_templates: bool = True
    whitens_in_time: bool = True
    knows_number: bool = False
    knows_spikes: bool = False


ARMS = {
    "the sorter": Arm(),
    "PCA-32 in place of the embedding": Arm(use_embedding=False),
    "centres of mass in place of the model's locations": Arm(use_locations=False),
    "without denoiser": Arm(use_denoiser=False),
    "neither embedding nor denoiser": Arm(use_embedding=False, use_denoiser=False),
    "first split by HDBSCAN": Arm({"clustering": "hdbscan"}),
    "whitened in space alone": Arm(whitens_in_time=False),
    "without template matching": Arm({"template_matching": "off"}),
    "without motion": Arm({"motion": "off"}),
    "noise left to follow the motion": Arm(equalises_noise=False),
    "matched in traces that were moved": Arm(moves_templates=False),
    "told the number of units (k-means)": Arm(knows_number=True),
    "told the number of units (k-means), of PCA-32": Arm(use_embedding=False, knows_number=True),
    "one mixture of the true number of units, as published": Arm(AS_PUBLISHED, knows_number=True),
    "one mixture of the true number of units, of PCA-32": Arm(AS_PUBLISHED, use_embedding=False, knows_number=True),
    "true spikes as clusters": Arm(knows_spikes=True),
}


class AblatedSorter(SpikeSorter):
    """The sorter with features of the recorded waveforms in place of some of the model's.

    Args:
        model, feature_extractor: as for [`~huidurep_hf.sorting.sorter.SpikeSorter`].
        arm: [`Arm`].
    """

    def __init__(self, model, feature_extractor, arm: Arm):
        super().__init__(model, feature_extractor)
        self.arm = arm

    def _embed(self, prepared, peaks, parameters, progress):
        spikes = super()._embed(prepared, peaks, parameters, progress)
        if len(peaks) == 0:
            return spikes
        if not self.arm.use_locations:
            batches = embed_peaks(self.model, self.feature_extractor, prepared, peaks)
            centers = np.concatenate(
                [centers_of_mass(each.peak_to_peak, each.positions, each.mask) for each in batches]
            )
            spikes = dataclasses.replace(spikes, locations_um=_on_probe(prepared, peaks, centers))
        if self.arm.use_embedding and self.arm.use_denoiser:
            return spikes
        waveforms, positions, mask = self._waveforms(prepared, peaks)
        if not self.arm.use_embedding:
            components = pca_features(waveforms, spikes.embeddings.shape[1], parameters.seed)
            embeddings = np.zeros_like(spikes.embeddings)
            embeddings[:, : components.shape[1]] = components
            spikes = dataclasses.replace(spikes, embeddings=embeddings)
        if not self.arm.use_denoiser:
            peak_to_peak = np.ptp(waveforms, axis=1) * mask
            centers = centers_of_mass(peak_to_peak, positions, mask)
            locations = _on_probe(prepared, peaks, centers)
            spikes = dataclasses.replace(spikes, locations_um=locations, amplitudes=peak_to_peak.max(axis=1))
        return spikes

    def _follow_motion(self, prepared, peaks, spikes, parameters):
        followed = follow_motion(
            prepared,
            peaks,
            spikes.locations_um,
            parameters.motion,
            equalise_noise=self.arm.equalises_noise,
            seed=parameters.seed,
        )
        return followed if self.arm.moves_templates else dataclasses.replace(followed, uncorrected=None)

    def _whiten(self, prepared, parameters):
        return whiten(prepared, in_time=self.arm.whitens_in_time, seed=parameters.seed)

    def _waveforms(self, prepared, peaks):
        """What the model would see, in noise SDs: waveforms, positions and mask."""
        num_before, num_after = window_around_peak(self.feature_extractor, prepared.recording.get_sampling_frequency())
        neighborhoods = find_neighborhoods(prepared.positions, prepared.shanks, self.feature_extractor.num_channels)
        batches = list(
            iterate_waveforms(
                prepared.recording,
                peaks,
                neighborhoods,
                prepared.noise_levels,
                num_before=num_before,
                num_after=num_after,
            )
        )
        waveforms = np.concatenate([batch.waveforms / batch.noise_levels[:, None, :] for batch in batches])
        return waveforms, *(
            np.concatenate([getattr(batch, name) for batch in batches]) for name in ("positions", "mask")
        )


def _on_probe(prepared, peaks, from_peak_channel):
    """Places relative to the peak channels as places on the probe, `(num_peaks, 2)` float32 µm."""
    return (prepared.positions[peaks["channel_index"]] + from_peak_channel).astype("float32")


def ablate_sorter(model: str, output, *, seeds, arms=None, conditions=None, progress: bool = True) -> dict:
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
    results.add_run(describe_environment())
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
                    results.add_row({**key, **_run(whole, ARMS[key["arm"]], truth)})
                    bar.update()
    return results.content


def sorter_ablation_table(content: dict) -> str:
    """Markdown: an arm per line, mean accuracy of each condition (± SD over recordings), then means over all."""
    rows = content["rows"]
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


def _run(whole, arm, truth) -> dict:
    sorter = AblatedSorter(whole.model, whole.feature_extractor, arm)
    number = {"num_units": len(truth.sorting.unit_ids)} if arm.knows_number else {}
    started = time.perf_counter()
    if arm.knows_spikes:
        prepared, _, _ = sorter._find_spikes(truth.recording, SortingParameters(), {}, progress=False)
        sorting = sort_true_clusters(prepared, truth.sorting)
    else:
        sorting = sorter(truth.recording, **arm.parameters, **number)
    seconds = time.perf_counter() - started
    _, scores = score_sorting(sorting, truth.sorting, truth.unit_snr)
    return {"scores": scores, "seconds": round(seconds, 1)}


def _refuse_unknown(names, known, what):
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ValueError(f"Unknown {what} {unknown}; there are {list(known)}.")

"""Spikes whose clean waveform is known: templates added to a recording at moments of our choosing."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from .baselines import in_probe_order
from .denoising import best_low_rank_denoiser, denoising_table, snr_gain_db
from .feature_sets import extract, run_model, with_random_decoder
from .true_spikes import TrueSpikes, true_spikes, waveforms_at

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording
    from transformers import BatchFeature

    from ...model.feature_extraction_huidurep import HuiduRepFeatureExtractor
    from ...model.modeling_huidurep import HuiduRepModel
    from ...simulation.recordings.injection import UnitTemplates
    from ...simulation.recordings.recordings import RecordingParameters

# Added spikes are so far apart that none lies in another's window; those of the recording may overlap them.
SLOT_MS = 10.0
DURATION_S = 30.0


def add_spikes(
    recording: BaseRecording, templates: UnitTemplates, *, spikes_per_unit: int = 50, seed: int = 0
) -> tuple[TrueSpikes, np.ndarray]:
    """Add spikes of known units to a recording, and say what each looks like without all that was there before.

    The clean waveform is what the addition changed in the prepared recording, so filter and reference have acted on
    it as on the noisy one. Only the first 30 s of the recording are used.

    Args:
        recording: SpikeInterface recording in µV of one segment: noise, and neurons that go on firing.
        templates: `UnitTemplates` on the same probe, wide-band; their waveforms at rest are added.
        spikes_per_unit: how many of each unit, as many as fit if fewer do.
        seed: of the moments.

    Returns:
        The noisy spikes, and their clean waveforms, of the shape of `spikes.waveforms`.
    """
    from spikeinterface.core import InjectTemplatesRecording, NumpySorting

    rate = recording.get_sampling_frequency()
    num_samples = min(recording.get_num_samples(0), round(DURATION_S * rate))
    background = recording.frame_slice(0, num_samples)
    at_rest = templates.waveforms[int(np.abs(templates.displacements_um).argmin())]
    num_units = len(at_rest)

    rng = np.random.default_rng(seed)
    slot = round(SLOT_MS * rate / 1000)
    # Neither in the first nor in the last slot: a template would stick out.
    slots = 1 + rng.permutation(num_samples // slot - 2)[: num_units * spikes_per_unit]
    times = np.sort(slots) * slot
    units = rng.permutation(np.arange(len(times)) % num_units)
    sorting = NumpySorting.from_samples_and_labels([times], [units], rate, unit_ids=np.arange(num_units))
    with_spikes = InjectTemplatesRecording(sorting, at_rest, nbefore=templates.peak_sample, parent_recording=background)
    # The SNR of each spike is read from its clean waveform; that of its unit is not needed.
    unknown_snr = np.full(num_units, np.nan)
    spikes = true_spikes(with_spikes, sorting, unknown_snr, max_spikes_per_unit=spikes_per_unit, seed=seed)
    return spikes, spikes.waveforms - waveforms_at(background, spikes, seed)


def add_spikes_at_rest(
    recording: BaseRecording, recording_parameters: RecordingParameters
) -> tuple[TrueSpikes, np.ndarray]:
    """Add more spikes of its own units, at rest, to a generated recording; see [`add_spikes`].

    Args:
        recording: the recording that was generated.
        recording_parameters: the `RecordingParameters` that it was generated from.
    """
    from ...simulation.recordings.recordings import place_units

    at_rest = place_units(dataclasses.replace(recording_parameters, drift_um=None))
    return add_spikes(recording, at_rest, seed=recording_parameters.seed)


def evaluate_denoiser(
    spikes: TrueSpikes, clean: np.ndarray, model: HuiduRepModel, feature_extractor: HuiduRepFeatureExtractor
) -> list[dict]:
    """Compare a model's denoiser with none, with the best low-rank one and with an untrained decoder.

    Args:
        spikes: noisy spikes.
        clean: their clean waveforms, of the shape of `spikes.waveforms`.
        model, feature_extractor: of HuiduRep.

    Returns:
        The rows of [`~huidurep_hf.evaluation.representation.denoising.denoising_table`], over the model's window.
    """
    features, truth = _extract_both(spikes, clean, feature_extractor)
    noisy = features["waveforms"].numpy()
    # Principal components gain from the order of the probe; to the others it makes no difference.
    truth, noisy = in_probe_order(truth, spikes.channel_indices), in_probe_order(noisy, spikes.channel_indices)
    low_rank, rank = best_low_rank_denoiser(truth, noisy)
    denoised = {
        "none": noisy,
        "PCA": low_rank,
        "random decoder": in_probe_order(run_model(with_random_decoder(model), features)[1], spikes.channel_indices),
        "model": in_probe_order(run_model(model, features)[1], spikes.channel_indices),
    }
    rows = denoising_table(truth, noisy, denoised, spikes.labels)
    return [{**row, "pca_rank": rank} for row in rows]


def model_gain_db(
    spikes: TrueSpikes,
    clean: np.ndarray,
    model: HuiduRepModel,
    feature_extractor: HuiduRepFeatureExtractor,
    snr_range: tuple[float, float],
) -> float:
    """SNR gain of a model's denoiser on spikes whose clean trough lies in a range of noise SDs; NaN without any.

    Args:
        spikes, clean, model, feature_extractor: as in [`evaluate_denoiser`].
        snr_range: from, and below.
    """
    features, truth = _extract_both(spikes, clean, feature_extractor)
    snr = -truth.min(axis=(1, 2))
    chosen = (snr >= snr_range[0]) & (snr < snr_range[1])
    denoised = run_model(model, features)[1]
    return snr_gain_db(truth[chosen], features["waveforms"].numpy()[chosen], denoised[chosen])


def _extract_both(
    spikes: TrueSpikes, clean: np.ndarray, feature_extractor: HuiduRepFeatureExtractor
) -> tuple[BatchFeature, np.ndarray]:
    """What a model sees of noisy spikes, and their clean waveforms in its window."""
    truth = extract(dataclasses.replace(spikes, waveforms=clean), feature_extractor)
    return extract(spikes, feature_extractor), truth["waveforms"].numpy()

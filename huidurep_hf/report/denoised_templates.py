"""Templates without the noise that is left in them: what the encoder makes of each unit's average spike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from ..hub.checkpoints import find_again, resolve_checkpoint
from ..model.feature_extraction_huidurep import HuiduRepFeatureExtractor, resampling_matrix
from ..model.modeling_huidurep import HuiduRepModel
from ..recording.spikes.neighborhood import find_neighborhoods
from ..sorting.output.provenance import hash_weights
from ..sorting.output.trace_samples import BEFORE_MS
from ..sorting.output.unit_table import template_peak

if TYPE_CHECKING:
    from ..sorting.output.result import SortingResult


def denoise_templates(result: SortingResult) -> np.ndarray | None:
    """Denoise each unit's average spike by the model that sorted, on the channels nearest to its peak.

    The model is read from where the sort found it, from the Hub's cache, or from the shipped checkpoint of the same
    weights; the network is not asked.

    Args:
        result: [`~huidurep_hf.sorting.output.result.SortingResult`].

    Returns:
        `(num_units, num_samples, num_channels)` float32 as `result.templates`, SDs of the noise; NaN outside the time
        and the channels that the model sees. `None` if the model is gone or has other weights, or if the result does
        not say which weights it had.
    """
    loaded = _load_model(result.provenance["model"]) if len(result.templates) else None
    if loaded is None:
        return None
    model, extractor = loaded
    rate, num_samples = result.provenance["recording"]["sampling_rate"], result.templates.shape[1]
    peak_sample = round(BEFORE_MS * rate / 1000)
    peaks = [template_peak(template)[0] for template in result.templates]
    positions, shanks = result.channels[["x_um", "y_um"]].to_numpy(), result.channels["shank"].to_numpy()
    neighborhoods = find_neighborhoods(positions, shanks, extractor.num_channels)
    channels, mask = neighborhoods.channel_indices[peaks], neighborhoods.mask[peaks]
    features = extractor(
        np.take_along_axis(result.templates, channels[:, None], axis=2),
        sampling_rate=rate,
        channel_positions=neighborhoods.positions[peaks],
        channel_mask=mask,
        peak_sample=peak_sample,
    )
    with torch.no_grad():
        output = model(**{name: value.to(dtype=model.dtype) for name, value in features.items()})
    back = resampling_matrix(
        extractor.window_size, extractor.peak_sample, extractor.sampling_rate, num_samples, peak_sample, rate
    )
    times_ms = (np.arange(num_samples) - peak_sample) / rate * 1000
    is_seen = (times_ms >= -extractor.ms_before) & (times_ms < extractor.ms_after)
    denoised = np.full(result.templates.shape, np.nan, dtype="float32")
    for unit, waveform in enumerate(output.denoised_waveforms.float().numpy()):
        of_probe = channels[unit, mask[unit]]
        denoised[unit][np.ix_(is_seen, of_probe)] = (back.T @ waveform[:, mask[unit]])[is_seen]
    return denoised


def _load_model(described: dict) -> tuple[HuiduRepModel, HuiduRepFeatureExtractor] | None:
    """The model of `provenance["model"]` and its feature extractor, if they are still there with the same weights."""
    if "weights_sha256" not in described:
        return None
    place, revision = find_again(described)
    kept = {"revision": revision, "local_files_only": True}
    try:
        source = resolve_checkpoint(place, **kept)
        model = HuiduRepModel.from_pretrained(source, dtype=described["dtype"], **kept).eval()
        extractor = HuiduRepFeatureExtractor.from_pretrained(source, **kept)
    except (OSError, ValueError):
        return None
    return (model, extractor) if hash_weights(model) == described["weights_sha256"] else None

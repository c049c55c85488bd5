"""Features that need no training, the strongest simple rivals of a learned embedding, and where a spike lies."""

import numpy as np
from sklearn.decomposition import PCA

from .true_spikes import TrueSpikes

NUM_COMPONENTS = 32
ALIGNED_CHANNELS = 5
COMPONENTS_PER_CHANNEL = 3
# Of 12 and 32, the better on development recordings.
WHITENED_COMPONENTS = 12
# A short window: beyond it the per-channel components would describe noise.
ALIGNED_MS_BEFORE = 0.5
ALIGNED_MS_AFTER = 1.0


def pca_features(waveforms: np.ndarray, num_components: int = NUM_COMPONENTS, seed: int = 0) -> np.ndarray:
    """Return the first principal components of whole waveforms.

    Args:
        waveforms: `(num_spikes, num_samples, num_channels)` in noise SDs, the very input of the model.
        num_components: how many components; fewer where there are fewer spikes or values.
        seed: of the randomised decomposition.

    Returns:
        `(num_spikes, num_components)` float64.
    """
    if len(waveforms) == 0:
        return np.zeros((0, num_components))
    flat = waveforms.reshape(len(waveforms), -1)
    num_components = min(num_components, *flat.shape)
    return PCA(num_components, random_state=seed).fit_transform(flat.astype("float64"))


def aligned_pca_features(spikes: TrueSpikes, seed: int = 0) -> np.ndarray:
    """Return three principal components on each of the five channels nearest to the peak channel.

    The classical features of spike sorting (Harris et al. 2000, Rossant et al. 2016): one basis of single-channel
    waveforms, learned from all channels of all spikes, applied to each channel. Troughs are aligned at the peak
    channel to a tenth of a sample. Channels stand in the order of the probe, so on a tetrode a feature belongs to
    one wire, whichever is the peak channel.

    Args:
        spikes: waveforms at true times; channels beyond the five nearest are not used.
        seed: of the randomised decomposition.

    Returns:
        `(num_spikes, 3 * num_channels)` float64, `num_channels` at most 5.
    """
    num_channels = min(ALIGNED_CHANNELS, spikes.waveforms.shape[2])
    num_before = round(ALIGNED_MS_BEFORE * spikes.sampling_rate / 1000)
    num_after = round(ALIGNED_MS_AFTER * spikes.sampling_rate / 1000)
    if len(spikes.labels) == 0:
        return np.zeros((0, COMPONENTS_PER_CHANNEL * num_channels))
    offset = np.arange(-num_before, num_after)
    aligned = _shift(spikes.waveforms[:, :, :num_channels], spikes.peak_sample + offset, _sub_sample_trough(spikes))
    aligned = in_probe_order(aligned, spikes.channel_indices[:, :num_channels])
    single = aligned.transpose(0, 2, 1).reshape(-1, aligned.shape[1])
    components = PCA(COMPONENTS_PER_CHANNEL, random_state=seed).fit_transform(single.astype("float64"))
    return components.reshape(len(aligned), -1)


def whitened_pca_features(spikes: TrueSpikes, seed: int = 0) -> np.ndarray:
    """Return the first 12 principal components of the spikes as the whitened traces show them.

    Where the noise is the same in all directions, the directions of most variance are those in which the neurons of
    this recording differ. Each spike's nearest channels stand in the order of the probe, as the model sees them.

    Args:
        spikes: waveforms at true times.
        seed: of the randomised decomposition.

    Returns:
        `(num_spikes, 12)` float64.
    """
    in_order = in_probe_order(spikes.whitened, spikes.channel_indices)
    return pca_features(in_order, WHITENED_COMPONENTS, seed)


def placed_pca_features(spikes: TrueSpikes, seed: int = 0) -> np.ndarray:
    """Return the first 12 principal components of whitened spikes, each channel in its own place on the probe.

    Unlike features that describe a spike from its peak channel, these tell neurons apart by where they lie, and a
    neuron that is largest now on one channel and now on the next stays one. They know the whole probe; on a tetrode
    they are those of [`whitened_pca_features`].

    Args:
        spikes: waveforms at true times.
        seed: of the randomised decomposition.

    Returns:
        `(num_spikes, 12)` float64.
    """
    return pca_features(place_on_probe(spikes.whitened, spikes), WHITENED_COMPONENTS, seed)


def place_on_probe(waveforms: np.ndarray, spikes: TrueSpikes) -> np.ndarray:
    """Put each channel of a spike in its place on the probe; channels that were not cut are zero.

    Args:
        waveforms: `(num_spikes, num_samples, num_channels)`, channels as in `spikes.channel_indices`.
        spikes: whose channels they are.

    Returns:
        `(num_spikes, num_samples, num_channels_of_probe)`, of the same kind of number.
    """
    num_spikes, num_samples, _ = waveforms.shape
    placed = np.zeros((num_spikes, num_samples, len(spikes.noise_levels)), dtype=waveforms.dtype)
    spike, column = np.nonzero(spikes.channel_indices >= 0)
    placed[spike, :, spikes.channel_indices[spike, column]] = waveforms[spike, :, column]
    return placed


def in_probe_order(waveforms: np.ndarray, channel_indices: np.ndarray) -> np.ndarray:
    """Reorder channels from distance to place on the probe, padding last.

    Args:
        waveforms: `(num_spikes, num_samples, num_channels)`.
        channel_indices: `(num_spikes, num_channels)` the channel on the probe, -1 for padding. Where a model of a
            fixed number of channels has added some to the waveforms, it is shorter; those are padding, too.

    Returns:
        Waveforms of the same shape.
    """
    num_unknown = waveforms.shape[2] - channel_indices.shape[1]
    place = np.pad(channel_indices, ((0, 0), (0, num_unknown)), constant_values=-1)
    order = np.argsort(np.where(place < 0, np.iinfo("int64").max, place), axis=1, kind="stable")
    return np.take_along_axis(waveforms, order[:, None, :], axis=2)


def spike_locations(spikes: TrueSpikes) -> np.ndarray:
    """Return where each spike lies on the probe: its peak channel plus the centre of mass around it.

    Each channel weighs by its peak-to-peak amplitude, less what noise alone would give: SpikeInterface's and
    MountainSort's simple estimate.

    Args:
        spikes: waveforms at true times.

    Returns:
        `(num_spikes, 2)` float64, µm.
    """
    amplitude = np.ptp(spikes.waveforms, axis=1) * spikes.channel_mask
    weight = np.maximum(amplitude - np.median(amplitude, axis=1, keepdims=True), 0.0) + 1e-9 * spikes.channel_mask
    center = (weight[:, :, None] * spikes.channel_positions).sum(axis=1) / weight.sum(axis=1, keepdims=True)
    return spikes.peak_positions + center.astype("float64")


def with_location(features: np.ndarray, locations: np.ndarray) -> np.ndarray:
    """Append locations to features: both blocks are brought to a total variance of 1.

    Not each column: two columns of location beside 32 of an embedding would be all but overlooked by k-means, from
    which mixtures start. On development recordings this served every method better wherever a probe is longer than a
    neuron's reach, and cost on tetrodes, where location tells less.
    """
    blocks = (unit_scale(block) / np.sqrt(block.shape[1]) for block in (features, locations))
    return np.concatenate(list(blocks), axis=1)


def unit_scale(features: np.ndarray) -> np.ndarray:
    """Centre the columns and divide all of them by one number, so that their mean variance is 1."""
    centered = features - features.mean(axis=0) if len(features) else features
    scale = np.sqrt((centered**2).mean()) if centered.size else 0.0
    return centered / scale if scale > 0 else centered


def _sub_sample_trough(spikes: TrueSpikes) -> np.ndarray:
    """Offset of the trough at the peak channel from `peak_sample`, by a parabola through three samples."""
    left, middle, right = (spikes.waveforms[:, spikes.peak_sample + step, 0] for step in (-1, 0, 1))
    curvature = left - 2 * middle + right
    offset = np.where(curvature > 0, 0.5 * (left - right) / np.where(curvature > 0, curvature, 1.0), 0.0)
    return np.round(np.clip(offset, -0.5, 0.5), 1)


def _shift(waveforms: np.ndarray, samples: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Read each spike at `samples` plus its own offset, by cubic interpolation."""
    from scipy.interpolate import CubicSpline

    shifted = np.empty((len(waveforms), len(samples), waveforms.shape[2]), dtype=waveforms.dtype)
    for value in np.unique(offset):
        same = offset == value
        spline = CubicSpline(np.arange(waveforms.shape[1]), waveforms[same], axis=1)
        shifted[same] = spline(np.clip(samples + value, 0, waveforms.shape[1] - 1))
    return shifted

"""From embedded spikes to clusters: split around each contact by the embedding, joined by the whitened waveforms."""

from dataclasses import dataclass

import numpy as np

from ...recording.chunks import on_one_time_line
from ..merging.clusters import join_clusters
from ..templates.spike_waveforms import SpikeWaveforms
from .assignment import assign, drop_small
from .features import build_features, build_natural_features
from .kmeans import cluster_kmeans
from .local import cluster_locally
from .mixture import cluster_mixture

# Between shanks that share nominal positions, far more than any spread within a shank.
SHANK_OFFSET_UM = 1000.0
# More spikes than this add nothing to what a cluster looks like; the others find their unit by template matching.
MAX_CLUSTERED_SPIKES = 100_000


@dataclass(frozen=True)
class Clusters:
    """To which cluster each detected peak belongs.

    Attributes:
        labels: `(num_peaks,)` int64 from 0 without gaps, -1 for peaks of no cluster.
        samples: `(num_peaks,)` int64 times in samples; peaks of one cluster share one alignment.
    """

    labels: np.ndarray
    samples: np.ndarray


def find_clusters(spikes, peaks, whitened, parameters):
    """Cluster detected peaks.

    Args:
        spikes: [`~huidurep_hf.sorting.embedded_spikes.EmbeddedSpikes`].
        peaks: structured array of the same peaks, sorted by segment and sample.
        whitened: whitened [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`].
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].

    Returns:
        [`Clusters`].
    """
    labels = np.full(len(peaks), -1, dtype="int64")
    samples = peaks["sample_index"].astype("int64")
    if len(peaks) == 0:
        return Clusters(labels, samples)
    rng = np.random.default_rng(parameters.seed)
    chosen = np.sort(rng.permutation(len(peaks))[:MAX_CLUSTERED_SPIKES])
    if parameters.num_units is not None:
        labels[chosen] = _cluster_given_number(spikes, peaks, whitened.groups, chosen, parameters)
        return Clusters(labels, samples)
    features = spike_features(spikes, peaks, whitened.groups)[chosen]
    found = cluster_locally(
        features,
        peaks["channel_index"][chosen],
        method="hdbscan" if parameters.clustering == "hdbscan" else "gmm",
        # Half a unit may be seen from each of two channels; the whole is judged after joining.
        min_cluster_size=max(parameters.min_spikes_per_unit // 2, 2),
        min_valley=parameters.min_valley,
        seed=parameters.seed,
    )
    found, shifts = join_clusters(
        drop_small(found, max(parameters.min_spikes_per_unit // 4, 2)),
        on_one_time_line(samples[chosen], peaks["segment_index"][chosen], whitened.recording),
        SpikeWaveforms.cut(whitened, peaks[chosen]),
        whitened.recording.get_sampling_frequency(),
        min_valley=parameters.min_valley,
        min_cluster_size=max(3 * parameters.min_spikes_per_unit // 4, 2),
        is_moved=whitened.unmoved is not None,
        seed=parameters.seed,
    )
    labels[chosen] = drop_small(found, parameters.min_spikes_per_unit)
    samples[chosen] += np.where(labels[chosen] >= 0, shifts, 0)
    num_samples = np.array([whitened.recording.get_num_samples(i) for i in range(len(whitened.segment_indices))])
    return Clusters(labels, np.clip(samples, 0, num_samples[peaks["segment_index"]] - 1))


def _cluster_given_number(spikes, peaks, groups, chosen, parameters):
    """Labels of the chosen spikes, of exactly as many units as asked for: by k-means, or the published mixture."""
    if parameters.clustering == "gmm":
        features = spike_features(spikes, peaks, groups)[chosen]
        found = cluster_mixture(features, parameters.num_units, parameters.seed)
        return assign(features, found, min_cluster_size=1)[0]
    features = spike_features(spikes, peaks, groups, build=build_natural_features)[chosen]
    return cluster_kmeans(features, parameters.num_units, parameters.seed)


def spike_features(spikes, peaks, groups, build=build_features):
    """Embedding, location and amplitude of each spike, `(num_spikes, embedding_size + 3)`.

    Args:
        spikes: [`~huidurep_hf.sorting.embedded_spikes.EmbeddedSpikes`].
        peaks: structured array of the same peaks.
        groups: `(num_channels,)` shank of each channel.
        build: how they are joined, see [`~huidurep_hf.sorting.clustering.features`].
    """
    shank_of_spike = groups[peaks["channel_index"]]
    locations = spikes.locations_um + np.stack([SHANK_OFFSET_UM * shank_of_spike, 0 * shank_of_spike], axis=1)
    return build(spikes.embeddings, locations, spikes.amplitudes)

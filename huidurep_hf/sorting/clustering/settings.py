"""Settings of the first split of spikes into clusters."""

from dataclasses import dataclass

from ...settings import Settings, setting

METHODS = ("auto", "gmm", "hdbscan")


@dataclass(frozen=True)
class ClusteringSettings(Settings):
    """From embedded spikes to clusters."""

    clustering: str = setting(
        "auto",
        "first split around each contact: auto and gmm by Gaussians, hdbscan by dense regions; with num_units, auto by"
        " k-means of all spikes, gmm by one mixture of them, as published",
        choices=METHODS,
    )
    num_units: int | None = setting(None, "exact number of units; found automatically if left out", low=1)
    min_spikes_per_unit: int = setting(20, "units of fewer spikes are dropped", low=2)
    min_size_before_merging: float = setting(
        0.25,
        "smallest cluster of the first split, as a share of min_spikes_per_unit: a unit may be split into several"
        " clusters, and the whole is judged after merging",
        low=0.0,
        high=1.0,
        expert=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_units is not None and self.clustering == "hdbscan":
            raise ValueError(
                f"Got num_units={self.num_units} with clustering={self.clustering!r}, which finds the number itself;"
                " leave clustering out, or set clustering='gmm'."
            )


@dataclass(frozen=True)
class FeatureSettings(Settings):
    """What is clustered beside the embedding, which is trained to ignore amplitude."""

    location_scale_um: float = setting(
        2.0,
        "locations are divided by this. Near the SD that noise gives one neuron's spikes, so that the location counts"
        " beside the many dimensions of the embedding",
        unit="µm",
        low=0.01,
        expert=True,
    )
    log_amplitude_scale: float = setting(
        0.05, "logarithms of amplitudes are divided by this, for the same reason", low=0.001, expert=True
    )
    kmeans_location_scale_um: float = setting(
        5.0,
        "the same for k-means, which compares distances alone and learns no covariance. The best of 5, 10 and 20 on"
        " development recordings",
        unit="µm",
        low=0.01,
        expert=True,
    )
    kmeans_log_amplitude_scale: float = setting(0.4, "the same for k-means", low=0.001, expert=True)


@dataclass(frozen=True)
class MixtureSettings(Settings):
    """The first split by Gaussians, and k-means."""

    spikes_per_gaussian: int = setting(
        40,
        "one Gaussian for so many spikes around a contact: few enough that no Gaussian holds two neurons, and enough"
        " for an average waveform",
        low=2,
        expert=True,
    )
    max_gaussians: int = setting(12, "most Gaussians around a contact", low=1, expert=True)
    min_gaussians: int = setting(
        4,
        "a short recording would have too few Gaussians for the neurons around a contact; so many are made, with fewer"
        " spikes for each",
        low=1,
        expert=True,
    )
    min_spikes_per_gaussian: int = setting(20, "but with no fewer spikes than this for each", low=1, expert=True)
    num_mixture_components: int = setting(
        20, "principal components of the features of a contact's spikes that are split", low=1, expert=True
    )
    num_mixture_starts: int = setting(2, "a mixture is fitted from so many starts", low=1, expert=True)
    num_kmeans_starts: int = setting(10, "k-means starts so often, and the tightest result is kept", low=1, expert=True)


@dataclass(frozen=True)
class DensitySettings(Settings):
    """The first split by HDBSCAN, and the Gaussians that its clusters become."""

    min_dense_size: float = setting(
        0.5,
        "smallest dense region, as a share of min_spikes_per_unit: half a unit may be seen from each of two contacts",
        low=0.0,
        high=1.0,
        expert=True,
    )
    density_neighbors: int = setting(
        10, "neighbours over which density is measured; more is smoother (min_samples of HDBSCAN)", low=1, expert=True
    )
    num_density_components: int = setting(
        8, "principal components of the features of the spikes that are split", low=1, expert=True
    )
    max_split_depth: int = setting(
        3, "clusters are split again so often, each in its own principal components", low=0, expert=True
    )
    discriminant_ridge: float = setting(
        0.05,
        "two dense regions without a valley (min_valley) are merged. It is measured along their linear discriminant, to"
        " whose covariance this share of its mean variance is added: directions with almost no variance would win by"
        " chance",
        low=0.0,
        high=10.0,
        expert=True,
    )
    num_assignment_rounds: int = setting(
        3, "rounds in which a Gaussian is fitted to the typical spikes of each cluster", low=1, expert=True
    )
    typical_quantile: float = setting(
        0.999,
        "a spike is typical within this quantile of its Gaussian; others are often overlaps of two spikes",
        low=0.0,
        high=0.9999999,
        expert=True,
    )
    covariance_shrinkage: float = setting(
        0.1,
        "the pooled covariance of all clusters counts as this share of a cluster's spikes, so that small clusters lean"
        " on it",
        low=0.0,
        high=10.0,
        expert=True,
    )

"""Templates in the form in which matching uses them: few temporal components, local channels, known overlaps."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from ..parameters import MatchingSettings

# Gains are added up over so many times at once, so that these stay in the fastest cache.
TIMES_AT_ONCE = 1024
# Products over channels of a group of templates are made for so many times at once, and stay in the second cache.
TIMES_OF_PRODUCT = 2048
# Samples of a temporal component that are added up in one loop; components are padded by zeros to a multiple of it.
SAMPLES_AT_ONCE = 8
# Templates near each other on the probe are computed together.
GROUP_SIZE = 8


@dataclass(frozen=True)
class TemplateGroup:
    """Neighbouring templates, compressed by singular values: time times space.

    Attributes:
        templates: `(num_templates,)` their indices.
        channels: `(num_channels,)` on which any of them is seen.
        spatial: `(num_templates * rank, num_channels)` float32.
        temporal: `(num_templates, rank, num_padded_samples)` float32.
    """

    templates: np.ndarray
    channels: np.ndarray
    spatial: np.ndarray
    temporal: np.ndarray


@dataclass(frozen=True)
class TemplateBank:
    """Templates for one state of the probe's drift.

    A weakened copy of a template, such as the later spikes of a burst need, is a row of its own with a factor: it costs
    no further product with the traces.

    Attributes:
        groups: the templates themselves.
        num_samples: of a template.
        norms: `(num_templates,)` energy of each, in variances of the noise.
        overlaps: `(num_templates, num_shifts, num_near, 2 * num_samples - 1)` float32: products of a template, delayed
            by -1/2 to 1/2 sample, with each that shares channels with it, at each lag of the other.
        source: `(num_rows,)` template of each row; rows from `num_templates` on are weakened copies.
        factor: `(num_rows,)` float32 by which it is scaled.
        near: `(num_rows, num_near_rows)` rows that share channels with each, -1 for padding.
        slot: `(num_rows, num_near_rows)` where these stand in `overlaps`.
    """

    groups: list[TemplateGroup]
    num_samples: int
    norms: np.ndarray
    overlaps: np.ndarray
    source: np.ndarray
    factor: np.ndarray
    near: np.ndarray
    slot: np.ndarray

    @property
    def row_norms(self) -> np.ndarray:
        """Energy of each row, `(num_rows,)`."""
        return self.norms[self.source] * np.square(self.factor)

    def objective(self, traces: np.ndarray) -> np.ndarray:
        """Gain of each template at each time: the energy that subtracting it takes from the traces.

        Args:
            traces: `(num_trace_samples, num_channels)` float32, whitened.

        Returns:
            `(num_templates, num_trace_samples - num_samples + 1)` float32: twice the log likelihood ratio against
            noise of a spike whose template begins at that sample.
        """
        num_times = len(traces) - self.num_samples + 1
        num_padded = self.num_samples + -self.num_samples % SAMPLES_AT_ONCE
        padded = np.zeros((traces.shape[1], num_times + num_padded), dtype="float32")
        padded[:, : len(traces)] = traces.T
        gains = np.empty((len(self.norms), num_times), dtype="float32")
        for first in range(0, num_times, TIMES_OF_PRODUCT):
            last = min(first + TIMES_OF_PRODUCT, num_times)
            for group in self.groups:
                in_space = group.spatial @ padded[group.channels, first : last + num_padded]
                in_space = in_space.reshape(*group.temporal.shape[:2], -1)
                add_up_in_time(in_space, group.temporal, self.norms, group.templates, gains, first, last)
        return gains

    def with_weakened(self, gains: np.ndarray) -> np.ndarray:
        """Gains of all rows, `(num_rows, num_times)`, from those of the templates; a copy."""
        rows = self.factor[:, None] * (gains + self.norms[:, None])[self.source]
        rows -= self.row_norms[:, None]
        return rows


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def add_up_in_time(
    in_space: np.ndarray,
    temporal: np.ndarray,
    norms: np.ndarray,
    templates: np.ndarray,
    gains: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Correlate the traces in each spatial component with its temporal one, and make gains of the sums.

    Args:
        in_space: `(num_own, rank, stop - start + num_padded_samples)` float32.
        temporal: `(num_own, rank, num_padded_samples)` float32.
        norms: `(num_templates,)` energies.
        templates: `(num_own,)` rows of `gains` that are written.
        gains: `(num_templates, num_times)` float32.
        start, stop: times that are written.
    """
    for own in range(len(templates)):
        for first in range(start, stop, TIMES_AT_ONCE):
            last = min(first + TIMES_AT_ONCE, stop)
            total = gains[templates[own], first:last]
            total[:] = -norms[templates[own]]
            for component in range(temporal.shape[1]):
                for sample in range(0, temporal.shape[2], SAMPLES_AT_ONCE):
                    # Eight products in one loop, so that the sums are read and written once for all of them.
                    c = temporal[own, component, sample : sample + SAMPLES_AT_ONCE]
                    c0, c1, c2, c3, c4, c5, c6, c7 = c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]
                    x = in_space[own, component, first - start + sample : last - start + sample + SAMPLES_AT_ONCE]
                    for time in range(last - first):
                        early = c0 * x[time] + c1 * x[time + 1] + c2 * x[time + 2] + c3 * x[time + 3]
                        late = c4 * x[time + 4] + c5 * x[time + 5] + c6 * x[time + 6] + c7 * x[time + 7]
                        total[time] += 2 * (early + late)


def build_bank(
    waveforms: np.ndarray, settings: MatchingSettings, weakened: np.ndarray | None = None, factor: float = 1.0
) -> TemplateBank:
    """Compress templates and compute their overlaps.

    Args:
        waveforms: `(num_templates, num_samples, num_channels)` float32, SDs of the noise; 0 where one is not seen.
        settings: [`~huidurep_hf.sorting.parameters.MatchingSettings`].
        weakened: templates that get a weakened copy; none if left out.
        factor: of these copies.
    """
    num_templates, num_samples, _ = waveforms.shape
    weakened = np.zeros(0, dtype="int64") if weakened is None else weakened
    is_seen = waveforms.any(axis=1)
    meets = (is_seen.astype("float32") @ is_seen.T.astype("float32")) > 0
    np.fill_diagonal(meets, True)
    temporal, spatial = _compress(waveforms, is_seen, settings)
    near = _padded_rows(meets)
    source = np.concatenate([np.arange(num_templates), weakened])
    row_near = _padded_rows(meets[np.ix_(source, source)])
    slot_of = np.zeros(meets.shape, dtype="int64")
    for template, row in enumerate(near):
        slot_of[template, row[row >= 0]] = np.arange(np.count_nonzero(row >= 0))
    return TemplateBank(
        groups=_groups(waveforms, is_seen, temporal, spatial),
        num_samples=num_samples,
        norms=np.square(waveforms).sum(axis=(1, 2)).astype("float32"),
        overlaps=_overlaps(waveforms, is_seen, temporal, spatial, near, slot_of, settings.num_shifts),
        source=source,
        factor=np.repeat(np.array([1, factor], dtype="float32"), [num_templates, len(weakened)]),
        near=row_near,
        slot=slot_of[source[:, None], source[row_near]],
    )


def delayed(waveforms: np.ndarray, delay: float) -> np.ndarray:
    """Delay `(..., num_samples, num_channels)` waveforms by a part of a sample, as band-limited signals."""
    padding = 16
    by_channel = np.moveaxis(waveforms, -1, -2)
    num_samples, is_seen = by_channel.shape[-1], by_channel.any(axis=-1)
    shifted = np.zeros(by_channel.shape, dtype="float32")
    padded = np.pad(by_channel[is_seen], ((0, 0), (padding, padding)))
    phases = np.exp(-2j * np.pi * delay * np.fft.rfftfreq(padded.shape[-1]))
    whole = np.fft.irfft(np.fft.rfft(padded, axis=-1) * phases, padded.shape[-1], axis=-1)
    shifted[is_seen] = whole[:, padding : padding + num_samples]
    return np.ascontiguousarray(np.moveaxis(shifted, -2, -1))


def _compress(
    waveforms: np.ndarray, is_seen: np.ndarray, settings: MatchingSettings
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Temporal `(num_samples, rank)` and spatial `(rank, num_seen)` components of each template, on its channels."""
    temporal, spatial = [], []
    for waveform, seen in zip(waveforms, is_seen):
        left, sizes, right = np.linalg.svd(waveform[:, seen], full_matrices=False)
        energy_left = np.cumsum(np.square(sizes)[::-1])[::-1]
        allowed = max(settings.max_lost_energy, settings.max_lost_share * energy_left[0]) if len(sizes) else 0.0
        rank = np.count_nonzero(energy_left[: settings.max_rank] > allowed)
        rank = min(max(rank, 1), len(sizes)) if len(sizes) else 0
        temporal.append((left[:, :rank] * sizes[:rank]).astype("float32"))
        spatial.append(right[:rank].astype("float32"))
    return temporal, spatial


def _groups(
    waveforms: np.ndarray, is_seen: np.ndarray, temporal: list[np.ndarray], spatial: list[np.ndarray]
) -> list[TemplateGroup]:
    num_samples = waveforms.shape[1]
    ranks = np.array([one.shape[1] for one in temporal], dtype="int64")
    num_padded = num_samples + -num_samples % SAMPLES_AT_ONCE
    groups = []
    for members in _neighbours(is_seen):
        # Templates of one rank together, so that none is padded with the components of another.
        for rank in np.unique(ranks[members]):
            own = members[ranks[members] == rank]
            seen = np.flatnonzero(is_seen[own].any(axis=0))
            in_space = np.zeros((len(own), rank, len(seen)), dtype="float32")
            for row, template in enumerate(own):
                in_space[row][:, is_seen[template][seen]] = spatial[template]
            in_time = np.zeros((len(own), rank, num_padded), dtype="float32")
            in_time[:, :, :num_samples] = np.stack([temporal[template].T for template in own])
            groups.append(TemplateGroup(own, seen, in_space.reshape(-1, len(seen)), in_time))
    return groups


def _neighbours(is_seen: np.ndarray) -> list[np.ndarray]:
    """Divide templates into groups that are seen on the same channels."""
    shared = is_seen.astype("float32") @ is_seen.T.astype("float32")
    is_left, groups = np.ones(len(is_seen), dtype=bool), []
    while is_left.any():
        order = np.argsort(np.where(is_left, -shared[is_left.argmax()], 1), kind="stable")
        groups.append(order[: min(GROUP_SIZE, is_left.sum())])
        is_left[groups[-1]] = False
    return groups


def _overlaps(
    waveforms: np.ndarray,
    is_seen: np.ndarray,
    temporal: list[np.ndarray],
    spatial: list[np.ndarray],
    near: np.ndarray,
    slot_of: np.ndarray,
    num_shifts: int,
) -> np.ndarray:
    num_templates, num_samples, _ = waveforms.shape
    overlaps = np.zeros((num_templates, num_shifts, near.shape[1], 2 * num_samples - 1), dtype="float32")
    # Room for what a delay by a part of a sample moves beyond the ends.
    size = 2 * num_samples + 32
    delays = np.linspace(-0.5, 0.5, num_shifts)
    phases = np.exp(-2j * np.pi * delays[:, None] * np.fft.rfftfreq(size))
    for template in range(num_templates):
        others = near[template][near[template] >= 0]
        seen = is_seen[template]
        in_space = waveforms[others][:, :, seen] @ spatial[template].T
        spectrum = np.fft.rfft(temporal[template], size, axis=0).conj()
        products = np.einsum("ofr,fr->of", np.fft.rfft(in_space, size, axis=1), spectrum, optimize=True)
        # Product of a delayed other template with this one, at each lag of this one.
        lagged = np.fft.irfft(products[:, None] * phases[None], size, axis=2)
        lagged = np.concatenate([lagged[:, :, size - num_samples + 1 :], lagged[:, :, :num_samples]], axis=2)
        overlaps[others, :, slot_of[others, template]] = lagged
    return overlaps


def _padded_rows(is_near: np.ndarray) -> np.ndarray:
    """Column indices of each row's true values, padded by -1."""
    counts = is_near.sum(axis=1)
    rows = np.full((len(is_near), counts.max(initial=1)), -1, dtype="int64")
    for row, near in enumerate(is_near):
        rows[row, : counts[row]] = np.flatnonzero(near)
    return rows

"""Templates in the form in which matching uses them: few temporal components, local channels, known overlaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..parameters import MatchingSettings
from .decimation import REACH, TAPS_AT_ONCE, add_up_in_time, decimate, interpolate, low_passed

# Products over channels of a group of templates are made for so many times at once, and stay in the caches.
TIMES_OF_PRODUCT = 2048
# Templates near each other on the probe are computed together.
GROUP_SIZE = 8


@dataclass(frozen=True)
class TemplateGroup:
    """Neighbouring templates, compressed by singular values: time times space.

    Attributes:
        channels: `(num_channels,)` on which any of them is seen.
        template_of: `(num_components,)` which template each component is of.
        spatial: `(num_components, num_channels)` float32.
        temporal: `(num_components, num_padded_samples)` float32 at the lower rate, twice as large: gains are twice the
            products.
    """

    channels: np.ndarray
    template_of: np.ndarray
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
        step: products with the traces are made at every so many samples.
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
    step: int
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
        num_times, num_padded = len(traces) - self.num_samples + 1, _padded_length(self.num_samples, self.step)
        num_coarse = -(-num_times // self.step)
        if self.step > 1:
            padded = decimate(traces.T, self.step, num_coarse + num_padded)
        else:
            padded = np.zeros((traces.shape[1], num_coarse + num_padded), dtype="float32")
            padded[:, : len(traces)] = traces.T
        products = np.zeros((len(self.norms), num_coarse + 2 * REACH + TAPS_AT_ONCE), dtype="float32")
        for first in range(0, num_coarse, TIMES_OF_PRODUCT):
            last = min(first + TIMES_OF_PRODUCT, num_coarse)
            for group in self.groups:
                in_space = group.spatial @ padded[group.channels, first : last + num_padded]
                add_up_in_time(in_space, group.temporal, group.template_of, products, first, last)
        if self.step == 1:
            return products[:, REACH : REACH + num_coarse] - self.norms[:, None]
        gains = np.empty((len(self.norms), num_times), dtype="float32")
        interpolate(products, self.step, self.norms, gains)
        return gains

    def with_weakened(self, gains: np.ndarray) -> np.ndarray:
        """Gains of all rows, `(num_rows, num_times)`, from those of the templates; a copy."""
        rows = self.factor[:, None] * (gains + self.norms[:, None])[self.source]
        rows -= self.row_norms[:, None]
        return rows


def build_bank(
    waveforms: np.ndarray,
    settings: MatchingSettings,
    weakened: np.ndarray | None = None,
    factor: float = 1.0,
    step: int = 1,
) -> TemplateBank:
    """Compress templates and compute their overlaps.

    Args:
        waveforms: `(num_templates, num_samples, num_channels)` float32, SDs of the noise; 0 where one is not seen.
        settings: [`~huidurep_hf.sorting.parameters.MatchingSettings`].
        weakened: templates that get a weakened copy; none if left out.
        factor: of these copies.
        step: products with the traces are made at every so many samples, as of
            [`~huidurep_hf.sorting.matching.decimation.decimation_step`].
    """
    num_templates, num_samples, _ = waveforms.shape
    if step > 1:
        waveforms = low_passed(waveforms, step)
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
        groups=_groups(waveforms, is_seen, temporal, spatial, step),
        num_samples=num_samples,
        step=step,
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
    waveforms: np.ndarray, is_seen: np.ndarray, temporal: list[np.ndarray], spatial: list[np.ndarray], step: int
) -> list[TemplateGroup]:
    num_padded = _padded_length(waveforms.shape[1], step)
    groups = []
    for members in _neighbours(is_seen):
        seen = np.flatnonzero(is_seen[members].any(axis=0))
        template_of = np.repeat(members, [len(spatial[template]) for template in members])
        in_space = np.zeros((len(template_of), len(seen)), dtype="float32")
        in_time = np.zeros((len(template_of), num_padded), dtype="float32")
        for template in members:
            own = template_of == template
            in_space[np.ix_(own, is_seen[template][seen])] = spatial[template]
            # One sample stands for `step` of them; and gains are twice the products.
            coarse = 2 * step * temporal[template].T[:, ::step]
            in_time[own, : coarse.shape[1]] = coarse
        groups.append(TemplateGroup(seen, template_of, in_space, in_time))
    return groups


def _padded_length(num_samples: int, step: int) -> int:
    """Samples of a temporal component at the lower rate, with zeros up to a multiple of those added up at once."""
    num_coarse = -(-num_samples // step)
    return num_coarse + -num_coarse % TAPS_AT_ONCE


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

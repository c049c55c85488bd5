"""Templates: what the spikes of a unit look like on average."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

from ...recording.blocks import Block, read_with_margin, rows_in_block, split_into_blocks
from ...recording.preprocessing.preparation import PreparedRecording
from ...workers import Workers
from .settings import TemplateSettings

if TYPE_CHECKING:
    from ..spikes import Spikes


def template_window(settings: TemplateSettings, sampling_rate: float) -> tuple[int, int]:
    """Samples of a template before and from the peak on, `(num_before, num_after)`."""
    before, after = settings.template_ms_before, settings.template_ms_after
    return int(before * sampling_rate / 1000), int(after * sampling_rate / 1000)


def average_templates(
    labels: np.ndarray,
    samples: np.ndarray,
    spikes: Spikes,
    prepared: PreparedRecording,
    settings: TemplateSettings,
    seed: int = 0,
    workers: Workers | None = None,
    margin: int = 0,
) -> np.ndarray:
    """Average the traces around some spikes of each cluster.

    Args:
        labels: `(num_spikes,)` from 0 without gaps, -1 for none.
        samples: `(num_spikes,)` times in samples.
        spikes: table of the same spikes.
        prepared: [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`].
        settings: [`~huidurep_hf.sorting.templates.settings.TemplateSettings`]: window, and how many spikes.
        seed: of the choice of spikes.
        workers: who share the blocks.
        margin: further samples on both sides.

    Returns:
        `(num_units, num_samples, num_channels)` float32 on all channels, in SDs of the noise; the
        window of a template, and the margin. A unit of which every spike is cut off by the ends of the recording has
        zeros.
    """
    num_units = labels.max(initial=-1) + 1
    if num_units == 0:
        return np.zeros((0, 0, len(prepared.noise_levels)), dtype="float32")
    recording, segments = prepared.recording, spikes["segment_index"]
    num_before, num_after = (num + margin for num in template_window(settings, recording.get_sampling_frequency()))
    num_samples = np.array([recording.get_num_samples(i) for i in range(recording.get_num_segments())])
    is_inside = (samples >= num_before) & (samples < num_samples[segments] - num_after)
    chosen = _choose(np.where(is_inside, labels, -1), num_units, settings.max_spikes_per_template, seed)
    chosen = chosen[np.lexsort((samples[chosen], segments[chosen]))]
    jobs = []
    for block in split_into_blocks(recording):
        own = rows_in_block(segments[chosen], samples[chosen], block)
        if own.stop > own.start:
            jobs.append((block, chosen[own]))

    def add_up(job: tuple[Block, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        block, members = job
        traces, start = read_with_margin(recording, block, max(num_before, num_after))
        units, rows = np.unique(labels[members], return_inverse=True)
        firsts = samples[members] - start - num_before
        traces = np.ascontiguousarray(traces, dtype="float32")
        return units, _sums(traces, rows, firsts, len(units), num_before + num_after)

    totals = np.zeros((num_units, num_before + num_after, len(prepared.noise_levels)), dtype="float32")
    # In the order of the blocks, so that sums are the same for any number of workers.
    for units, sums in (workers or Workers()).map(add_up, jobs):
        for unit, of_unit in zip(units, sums):
            totals[unit] += of_unit
    counts = np.maximum(np.bincount(labels[chosen], minlength=num_units), 1).astype("float32")
    return totals / counts[:, None, None] / prepared.noise_levels


def signed(templates: np.ndarray, peak_sign: str) -> np.ndarray:
    """Templates turned so that what detection looks for is positive: troughs ("neg"), peaks ("pos") or "both"."""
    return {"neg": -templates, "pos": templates, "both": np.abs(templates)}[peak_sign]


@numba.njit(cache=True, nogil=True)
def _sums(traces: np.ndarray, rows: np.ndarray, firsts: np.ndarray, num_rows: int, num_samples: int) -> np.ndarray:
    """Sum of the traces from each first sample on, by row: `(num_rows, num_samples, num_channels)` float32."""
    sums = np.zeros((num_rows, num_samples, traces.shape[1]), dtype=np.float32)
    for spike in range(len(rows)):
        for sample in range(num_samples):
            own, total = traces[firsts[spike] + sample], sums[rows[spike], sample]
            for channel in range(len(own)):
                total[channel] += own[channel]
    return sums


def _choose(labels: np.ndarray, num_units: int, max_spikes: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(num_units + 1))
    members = [order[start:stop] for start, stop in zip(starts[:-1], starts[1:])]
    return np.concatenate([rng.permutation(own)[:max_spikes] for own in members])

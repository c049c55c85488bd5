"""Choice of the blocks in which units are learned: all of a short recording, else a sample with rare spikes."""

from __future__ import annotations

import numpy as np

from ..recording.blocks import Block, rows_in_block, rows_of_segment
from ..recording.motion.estimation import motion_bin_s
from ..recording.preprocessing.preparation import PreparedRecording
from ..recording.times import recorded_s
from .parameters import LearningSettings, SortingParameters
from .spikes import Spikes


def choose_learning_blocks(
    peaks: Spikes, prepared: PreparedRecording, blocks: list[Block], parameters: SortingParameters
) -> list[Block]:
    """Choose blocks that hold at most about as many peaks as the settings say, in which the noise is as usual.

    Units that fire all the time are in any block. Units that fire in one stretch are covered by evenly spaced blocks,
    and units that fire rarely by blocks with the rarest peaks: those of a channel and size that few peaks have.

    Args:
        peaks: all detected peaks, in order.
        prepared: the recording.
        blocks: of the whole recording.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].

    Returns:
        Blocks in order; all of them where there are no more peaks than asked for, or where clusters are to be taken as
        they are, so that every peak must be in one.
    """
    if parameters.template_matching == "off" or parameters.num_units is not None:
        return blocks
    learning, noise_levels = parameters.learning, prepared.noise_levels
    quiet = _quiet_blocks(blocks, prepared, learning)
    if len(quiet) < len(blocks):
        blocks, peaks = quiet, peaks[in_blocks(peaks, quiet)]
    max_peaks = max(learning.max_learned_peaks, learning.learned_peaks_per_channel * len(noise_levels))
    if len(peaks) <= max_peaks:
        return blocks
    of_peak = _block_of(peaks, blocks)
    counts = np.bincount(of_peak, minlength=len(blocks))
    value = np.bincount(of_peak, weights=_rarity(peaks, noise_levels, learning), minlength=len(blocks))
    value /= np.maximum(counts, 1)
    num_even = max(round(learning.even_block_share * max_peaks / len(peaks) * len(blocks)), 1)
    is_chosen = np.zeros(len(blocks), dtype=bool)
    is_chosen[np.unique(np.floor((np.arange(num_even) + 0.5) * len(blocks) / num_even).astype("int64"))] = True
    taken = counts[is_chosen].sum()
    for block in np.argsort(-value, kind="stable"):
        if not is_chosen[block] and taken + counts[block] <= max_peaks:
            is_chosen[block] = True
            taken += counts[block]
    return [block for block, chosen in zip(blocks, is_chosen) if chosen]


def what_is_learned_from(
    blocks: list[Block],
    all_blocks: list[Block],
    num_peaks: int,
    prepared: PreparedRecording,
    parameters: SortingParameters,
) -> str:
    """Say how much of a recording units are learned from, and how often a unit must fire to be found there.

    Args:
        blocks, all_blocks: those chosen, and all.
        num_peaks: in the blocks that were chosen.
        prepared: the recording.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].
    """
    rate = prepared.recording.get_sampling_frequency()
    learned_s, whole_s = (sum(block.stop - block.start for block in own) / rate for own in (blocks, all_blocks))
    return (
        f"units are learned from {num_peaks} peaks, in {learned_s:.0f} of {whole_s:.0f} s. A unit that fires less than "
        f"{parameters.min_spikes_per_unit / learned_s:.2g} times a second there is not found; a higher "
        "learned_peaks_per_channel or max_learned_peaks finds it, for more time"
    )


def _quiet_blocks(blocks: list[Block], prepared: PreparedRecording, settings: LearningSettings) -> list[Block]:
    """Blocks in which the noise is not raised; all of them where these are too few to learn from."""
    noise = prepared.noise_over_time
    if noise is None or noise.is_steady:
        return blocks
    quiet = [block for block in blocks if noise.is_quiet(block)]
    return quiet if len(quiet) >= settings.min_quiet_share * len(blocks) else blocks


def _rarity(peaks: Spikes, noise_levels: np.ndarray, settings: LearningSettings) -> np.ndarray:
    """Of each peak, the more the fewer there are of its channel and size."""
    channels = peaks["channel_index"]
    size = np.abs(peaks["amplitude"]) / noise_levels[channels]
    level = np.floor(np.log(np.maximum(size, 1e-6)) / settings.log_size_step).astype("int32")
    level -= level.min()
    stratum = channels * (level.max() + 1) + level
    return (1 / np.sqrt(np.maximum(np.bincount(stratum), 1)))[stratum]


def draw_over_time(peaks: Spikes, prepared: PreparedRecording, parameters: SortingParameters) -> np.ndarray:
    """Draw peaks for the estimate of motion: of each of its time bins successive ones, the same share of all.

    What lies between the stretches is not read, nor filtered anew where the preprocessed traces are not kept.

    Args:
        peaks: all detected peaks, in order.
        prepared: the recording.
        parameters: [`~huidurep_hf.sorting.parameters.SortingParameters`].

    Returns:
        Rows of the peaks drawn, ascending.
    """
    recording = prepared.recording
    num_wanted = parameters.learning.motion_peaks_per_s * recorded_s(recording)
    share = min(num_wanted / max(len(peaks), 1), 1.0)
    bin_samples = motion_bin_s(recording, parameters.motion_estimation) * recording.get_sampling_frequency()
    bins = (peaks["sample_index"] / bin_samples).astype("int64")
    is_first = (np.diff(bins, prepend=-1) != 0) | (np.diff(peaks["segment_index"], prepend=-1) != 0)
    starts = np.flatnonzero(is_first)
    counts = np.diff(starts, append=len(peaks))
    # Rounded sums: shares of a peak in each of many bins are not lost.
    num_drawn = np.diff(np.round(share * np.cumsum(counts)), prepend=0).astype(int)
    rng = np.random.default_rng(parameters.seed)
    firsts = starts + rng.integers(0, counts - num_drawn + 1)
    return np.repeat(firsts - np.cumsum(num_drawn) + num_drawn, num_drawn) + np.arange(num_drawn.sum())


def in_blocks(spikes: Spikes, blocks: list[Block]) -> np.ndarray:
    """Find the spikes that lie in some of the blocks, `(num_spikes,)` bool.

    Args:
        spikes: in order.
        blocks: in order.
    """
    found = np.zeros(len(spikes), dtype=bool)
    for block in blocks:
        found[rows_in_block(spikes["segment_index"], spikes["sample_index"], block)] = True
    return found


def _block_of(spikes: Spikes, blocks: list[Block]) -> np.ndarray:
    """Index of the block that each spike lies in."""
    starts = np.array([(block.segment, block.start) for block in blocks])
    of_spike = np.zeros(len(spikes), dtype="int64")
    for segment in np.unique(starts[:, 0]):
        own = np.flatnonzero(starts[:, 0] == segment)
        rows = rows_of_segment(spikes["segment_index"], segment)
        of_spike[rows] = own[np.searchsorted(starts[own, 1], spikes["sample_index"][rows], side="right") - 1]
    return of_spike


def choose_trial_blocks(spikes: Spikes, blocks: list[Block], max_blocks: int, min_spikes: int) -> list[Block]:
    """Choose blocks in which templates are tried: some evenly spaced, and others that hold enough of every cluster.

    Args:
        spikes: in order, with `cluster` (-1 for none), all of them in the blocks.
        blocks: in order.
        max_blocks: number of evenly spaced blocks; at most as many again are added for clusters of which these hold
            few.
        min_spikes: so many spikes of a cluster are wanted, or all that there are.

    Returns:
        Blocks in order; all of them where there are no more than asked for.
    """
    if len(blocks) <= max_blocks:
        return blocks
    clusters = spikes["cluster"]
    own = clusters >= 0
    counts = np.zeros((len(blocks), clusters.max(initial=-1) + 1), dtype="int64")
    np.add.at(counts, (_block_of(spikes, blocks)[own], clusters[own]), 1)
    is_chosen = np.zeros(len(blocks), dtype=bool)
    is_chosen[np.floor((np.arange(max_blocks) + 0.5) * len(blocks) / max_blocks).astype("int64")] = True
    for _ in range(max_blocks):
        wanted = np.minimum(counts.sum(axis=0), min_spikes) - counts[is_chosen].sum(axis=0)
        missing = np.minimum(counts, np.maximum(wanted, 0)).sum(axis=1)
        missing[is_chosen] = 0
        if missing.max(initial=0) == 0:
            break
        is_chosen[missing.argmax()] = True
    return [block for block, chosen in zip(blocks, is_chosen) if chosen]

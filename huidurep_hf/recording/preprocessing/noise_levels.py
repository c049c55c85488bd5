"""How strong a recording's noise is, measured where the recording was on."""

import numpy as np

# Traces that stay this long below this share of what they usually reach, on all channels, are no noise: a headstage
# that was off, a stretch that someone blanked.
SILENCE_MS = 10.0
SILENT_SHARE = 1e-3
# A recording that is silent for longer than this share of its time is taken as it is: its noise may be nearly nothing.
MAX_SILENCE = 0.9


def estimate_noise_levels(recording, seed):
    """SD of each channel's noise from the median absolute deviation of 20 random chunks of 0.5 s per segment.

    Args:
        recording: filtered SpikeInterface recording.
        seed: of the chunks' positions.

    Returns:
        `(num_channels,)` float32, in the unit of the traces.
    """
    from spikeinterface.core import get_noise_levels

    chunks = random_chunks(seed)
    recording = without_silence(recording, seed)
    levels = get_noise_levels(recording, return_in_uV=False, random_slices_kwargs=chunks, progress_bar=False)
    return levels.astype("float32")


def random_chunks(seed):
    """Where noise is measured: arguments of SpikeInterface's choice of random chunks."""
    return {"num_chunks_per_segment": 20, "chunk_duration": "500ms", "seed": seed}


def without_silence(recording, seed):
    """Return what noise can be measured on.

    Args:
        recording: filtered SpikeInterface recording.
        seed: of the random chunks that are looked at.

    Returns:
        The recording, if its random chunks hold no silent stretch of 10 ms, or are silent altogether; otherwise a
        recording in memory of those chunks without such stretches, one after the other.
    """
    from scipy.ndimage import binary_opening
    from spikeinterface.core import NumpyRecording, get_random_data_chunks

    chunks = get_random_data_chunks(recording, return_in_uV=False, concatenated=False, **random_chunks(seed))
    largest = [np.abs(chunk).max(axis=1) for chunk in chunks]
    usual = np.quantile(np.concatenate(largest), MAX_SILENCE)
    width = max(round(SILENCE_MS * 1e-3 * recording.get_sampling_frequency()), 1)
    is_silent = [binary_opening(each < SILENT_SHARE * usual, np.ones(width)) for each in largest]
    if usual == 0 or not np.concatenate(is_silent).any():
        return recording
    traces = np.concatenate([chunk[~silent] for chunk, silent in zip(chunks, is_silent)])
    measured = NumpyRecording([traces], recording.get_sampling_frequency(), channel_ids=recording.channel_ids)
    recording.copy_metadata(measured)
    return measured

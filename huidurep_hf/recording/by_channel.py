"""Traces with the samples of each channel side by side, as filters and convolutions want them."""

import numba
import numpy as np

# A square of so many samples and channels stays in the fastest cache while it is turned.
SIDE = 32


def by_channel(traces: np.ndarray) -> np.ndarray:
    """Turn `(num_samples, num_channels)` traces into contiguous `(num_channels, num_samples)` ones."""
    if traces.T.flags.c_contiguous:
        return traces.T
    return _turned(np.ascontiguousarray(traces))


@numba.njit(cache=True, nogil=True)
def _turned(traces: np.ndarray) -> np.ndarray:
    num_samples, num_channels = traces.shape
    turned = np.empty((num_channels, num_samples), dtype=traces.dtype)
    for first_sample in range(0, num_samples, SIDE):
        last_sample = min(first_sample + SIDE, num_samples)
        for first_channel in range(0, num_channels, SIDE):
            for channel in range(first_channel, min(first_channel + SIDE, num_channels)):
                for sample in range(first_sample, last_sample):
                    turned[channel, sample] = traces[sample, channel]
    return turned

# Copyright 2026 The huidurep-hf authors. Licensed under the Apache License, Version 2.0.
"""Feature extractor: spike waveforms of any rate, window and probe become the model's input."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from transformers import BatchFeature, FeatureExtractionMixin
from transformers.utils import logging

from .repository_huidurep import CODE_KEYS, EXTRACTOR_CODE, IS_INSTALLED, name_code, write_code
from .resolving_huidurep import CheckpointResolvingMixin
from .spike_rows_huidurep import as_tensor, is_empty, is_ragged, read_spikes

if TYPE_CHECKING:
    from .configuration_huidurep import HuiduRepConfig

logger = logging.get_logger(__name__)

# Half width of the interpolation kernel, in samples of the slower of the two rates.
KERNEL_HALF_WIDTH = 8
# A preprocessor_config.json may come from a stranger's repository; beyond these its windows would fill memory.
MAX_WINDOW_SIZE = 4096
MAX_CHANNELS = 4096
MAX_WINDOW_S = 0.2
PADDINGS = (True, False, "longest", "max_length")


class HuiduRepFeatureExtractor(CheckpointResolvingMixin, FeatureExtractionMixin):
    r"""Bring spike waveforms to the rate, window, scale and channels that a HuiduRep model was trained on.

    Args:
        sampling_rate (`float`, defaults to 30000): The model's rate in Hz.
        window_size (`int`, defaults to 72): Samples in the model's window.
        peak_sample (`int`, defaults to 24): Where the trough of the spike lies in the model's window.
        num_channels (`int`, defaults to 11): Most channels kept, those nearest to the peak channel.
        pad_channels (`bool`, defaults to `False`): Pad spikes of fewer channels with masked ones up to
            `num_channels`, as the time-token encoder of the paper needs.

    Raises:
        ValueError: if a value is impossible or absurdly large.

    Example:

    ```python
    >>> import numpy as np
    >>> from huidurep_hf import HuiduRepFeatureExtractor

    >>> extractor = HuiduRepFeatureExtractor()
    >>> tetrode = np.array([[0, 0], [25, 0], [0, 25], [25, 25]])
    >>> features = extractor(np.zeros((5, 50, 4)), sampling_rate=48000, channel_positions=tetrode, peak_sample=15)
    >>> features["waveforms"].shape
    torch.Size([5, 72, 4])

    ```
    """

    model_input_names = ["waveforms", "channel_positions", "channel_mask"]
    needed_file = "preprocessor_config.json"

    def __init__(
        self,
        sampling_rate: float = 30000.0,
        window_size: int = 72,
        peak_sample: int = 24,
        num_channels: int = 11,
        pad_channels: bool = False,
        **kwargs,
    ):
        if IS_INSTALLED:
            kwargs = {name: value for name, value in kwargs.items() if name not in CODE_KEYS}
        super().__init__(**kwargs)
        _check_window(sampling_rate, window_size, peak_sample, num_channels)
        self.sampling_rate = sampling_rate
        self.window_size = window_size
        self.peak_sample = peak_sample
        self.num_channels = num_channels
        self.pad_channels = pad_channels

    @classmethod
    def from_dict(cls, feature_extractor_dict: dict[str, Any], **kwargs) -> HuiduRepFeatureExtractor:
        """As in `transformers`.

        Raises:
            ValueError: no JSON object, or a value that is impossible or absurdly large.
        """
        if not isinstance(feature_extractor_dict, dict):
            raise ValueError(
                f"preprocessor_config.json holds a {type(feature_extractor_dict).__name__}, not an object with the"
                " extractor's fields; copy it from a sound checkpoint."
            )
        return super().from_dict(feature_extractor_dict, **kwargs)

    @classmethod
    def from_config(cls, config: HuiduRepConfig) -> HuiduRepFeatureExtractor:
        """Return the extractor that a model of this `HuiduRepConfig` needs."""
        return cls(
            sampling_rate=config.sampling_rate,
            window_size=config.window_size,
            peak_sample=config.peak_sample,
            num_channels=config.num_channels,
            pad_channels=config.encoder_type == "time",
        )

    def save_pretrained(self, save_directory: str | Path, push_to_hub: bool = False, **kwargs) -> list[str]:
        """Write `preprocessor_config.json` and the code that it names, so that it can be used without `huidurep_hf`.

        Args:
            save_directory: folder, made if there is none.
            push_to_hub: upload the feature extractor with its code, too.
            kwargs: `repo_id` and the other arguments of `push_to_hub`.

        Returns:
            List of the JSON file's path.
        """
        saved = super().save_pretrained(save_directory)
        write_code(save_directory)
        name_code(saved[0], EXTRACTOR_CODE)
        if push_to_hub:
            self.push_to_hub(kwargs.pop("repo_id", Path(save_directory).name), **kwargs)
        return saved

    @property
    def ms_before(self) -> float:
        """Time before the trough that the model sees, in ms."""
        return 1000 * self.peak_sample / self.sampling_rate

    @property
    def ms_after(self) -> float:
        """Time from the trough on that the model sees, in ms."""
        return 1000 * (self.window_size - self.peak_sample) / self.sampling_rate

    def __call__(
        self,
        waveforms: np.ndarray | torch.Tensor | Sequence | Mapping[str, Any],
        *,
        sampling_rate: float | None = None,
        channel_positions: np.ndarray | torch.Tensor | Sequence | None = None,
        noise_levels: np.ndarray | torch.Tensor | Sequence | None = None,
        channel_mask: np.ndarray | torch.Tensor | Sequence | None = None,
        peak_sample: int | None = None,
        padding: bool | str = True,
        return_tensors: str | None = "pt",
    ) -> BatchFeature:
        """Return the model's input for a batch of spikes.

        Args:
            waveforms: `(num_spikes, num_samples, num_channels)`, in the unit of `noise_levels`. Channels that hold a
                value that is not finite are masked for that spike. Also a list of `(num_samples, num_channels)` of
                several shapes, with lists of positions, masks and noise levels; or a batch of a spike dataset's
                columns, which say all the rest. A tensor stays on its device.
            sampling_rate: Rate of `waveforms` in Hz. Left out, they are taken to be at the model's, with a warning.
            channel_positions: `(num_channels, 2)` or `(num_spikes, num_channels, 2)`, µm, relative to the peak
                channel. Left out, the geometry is unknown and all contacts count as being in one place; of more
                contacts than the model takes, nobody could then say which are near the spike.
            noise_levels: `(num_channels,)` or `(num_spikes, num_channels)`, noise SD of each channel. Left out, the
                waveforms are in noise units already. A channel without noise is dead and is masked.
            channel_mask: `(num_channels,)` or `(num_spikes, num_channels)`, 1 for channels to be used.
            peak_sample: Sample of `waveforms` at which the trough lies. Left out, it is guessed: where the mean square
                of all the spikes that are given, over the channels that are used, is largest. A single faint spike
                makes that a bad guess, so state it where you know it.
            padding: `True` or `"longest"`: spikes of fewer channels get masked ones, as many as the largest has;
                `"max_length"`: up to `num_channels`, as an encoder that needs it always gets; `False`: spikes of
                several shapes are an error.
            return_tensors: `"pt"`, `"np"`, or `None` for what was given.

        Returns:
            `BatchFeature` of `waveforms` `(num_spikes, window_size, num_kept)` in noise units, `channel_positions`
            `(num_spikes, num_kept, 2)` and `channel_mask` `(num_spikes, num_kept)`, float32; tensors are on the device
            of the waveforms.

        Raises:
            ValueError: if a shape, rate, unit or sample does not fit, or contacts are too many to be without positions;
                the message names it and the remedy.
        """
        if padding not in PADDINGS:
            raise ValueError(f"padding is {padding!r}; it must be one of {', '.join(map(repr, PADDINGS))}.")
        if is_empty(waveforms):
            waveforms = np.zeros((0, self.window_size, self.num_channels), dtype=np.float32)
            stated = {"sampling_rate": self.sampling_rate, "padding": padding, "return_tensors": return_tensors}
            return self(waveforms, **stated)
        given_tensor = isinstance(waveforms, torch.Tensor)
        if isinstance(waveforms, Mapping) or is_ragged(waveforms):
            spikes = read_spikes(
                waveforms,
                padding=bool(padding),
                sampling_rate=sampling_rate,
                channel_positions=channel_positions,
                noise_levels=noise_levels,
                channel_mask=channel_mask,
                peak_sample=peak_sample,
            )
            given = {"padding": padding, "return_tensors": return_tensors}
            return self(spikes.waveforms, **spikes.stated, **given)
        if sampling_rate is None:
            logger.warning_once(
                f"sampling_rate is not given, so the waveforms are taken as at the model's {self.sampling_rate:g} Hz;"
                " give the rate in Hz at which they were recorded."
            )
            sampling_rate = self.sampling_rate
        waveforms = self._check_waveforms(waveforms, sampling_rate)
        num_spikes, num_samples, num_channels = waveforms.shape
        device = waveforms.device
        positions = _per_spike(channel_positions, "channel_positions", (num_spikes, num_channels, 2), 0.0, device)
        mask = _per_spike(channel_mask, "channel_mask", (num_spikes, num_channels), 1.0, device)
        noise = _per_spike(noise_levels, "noise_levels", (num_spikes, num_channels), 1.0, device)
        if num_channels > self.num_channels and channel_positions is None:
            raise ValueError(
                f"Got {num_channels} channels without positions, and the model takes the {self.num_channels} nearest "
                "to the peak channel; give channel_positions in µm relative to it, or only the channels around it."
            )
        # What is not finite is not nothing when it is taken from itself; many times faster than asking each value.
        usable = ((waveforms - waveforms).sum(dim=1) == 0) & torch.isfinite(noise) & (noise > 0) & (mask > 0)
        usable &= torch.isfinite(positions).all(dim=2)
        scaled = torch.where(usable[:, None], waveforms / torch.where(usable, noise, 1.0)[:, None], 0.0)
        if peak_sample is None:
            peak_sample = _guess_peak(scaled)
        if not 0 <= peak_sample < num_samples:
            raise ValueError(
                f"peak_sample is {peak_sample}; it must lie in the {num_samples} samples of the waveforms."
            )

        is_padded = self.pad_channels or padding == "max_length"
        scaled, positions, usable = self._select_channels(scaled, positions, usable, is_padded)
        resampling = torch.from_numpy(
            resampling_matrix(
                num_samples, peak_sample, sampling_rate, self.window_size, self.peak_sample, self.sampling_rate
            )
        ).to(device)
        features = {
            "waveforms": _resample(scaled, resampling),
            "channel_positions": positions,
            "channel_mask": usable.float(),
        }
        if return_tensors == "np" or (return_tensors is None and not given_tensor):
            features = {name: value.cpu().numpy() for name, value in features.items()}
        return BatchFeature(features, tensor_type=return_tensors)

    def _check_waveforms(self, waveforms: np.ndarray | torch.Tensor | Sequence, sampling_rate: float) -> torch.Tensor:
        # Masked channels may hold NaN, so float32 at least and no integer wrap-around.
        waveforms = as_tensor(waveforms, "waveforms")
        if waveforms.ndim != 3 or min(waveforms.shape[1:]) == 0:
            raise ValueError(
                f"Got waveforms of shape {tuple(waveforms.shape)}; expected (num_spikes, num_samples, num_channels). "
                "For a single spike add an axis: waveforms[None]."
            )
        if not (np.isfinite(sampling_rate) and sampling_rate > 0):
            raise ValueError(f"sampling_rate is {sampling_rate}; give the rate of the waveforms in Hz, such as 30000.")
        if waveforms.shape[1] / sampling_rate > MAX_WINDOW_S:
            raise ValueError(
                f"{waveforms.shape[1]} samples at a sampling_rate of {sampling_rate} Hz are longer than {MAX_WINDOW_S} "
                "s; a spike lasts some ms. Give the rate in Hz, not in kHz."
            )
        return waveforms

    def _select_channels(
        self, waveforms: torch.Tensor, positions: torch.Tensor, usable: torch.Tensor, is_padded: bool
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Keep the `num_channels` nearest channels in their given order; pad where that is asked for."""
        num_channels = waveforms.shape[2]
        if num_channels > self.num_channels:
            distance = torch.where(usable, positions.square().sum(dim=2).sqrt(), torch.inf)
            nearest = distance.argsort(dim=1, stable=True)[:, : self.num_channels].sort(dim=1).values
            _warn_of_lost_peaks(waveforms, nearest)
            waveforms = torch.take_along_dim(waveforms, nearest[:, None], dim=2)
            positions = torch.take_along_dim(positions, nearest[:, :, None], dim=1)
            usable = torch.take_along_dim(usable, nearest, dim=1)
        elif is_padded and num_channels < self.num_channels:
            missing = self.num_channels - num_channels
            waveforms = nn.functional.pad(waveforms, (0, missing))
            positions = nn.functional.pad(positions, (0, 0, 0, missing))
            usable = nn.functional.pad(usable, (0, missing))
        return waveforms, torch.where(usable[:, :, None], positions, 0.0), usable


def _check_window(sampling_rate: float, window_size: int, peak_sample: int, num_channels: int) -> None:
    if not (isinstance(sampling_rate, (int, float)) and np.isfinite(sampling_rate) and sampling_rate > 0):
        raise ValueError(f"sampling_rate is {sampling_rate!r}; give the model's rate in Hz, such as 30000.")
    limits = {
        "window_size": (window_size, 1, MAX_WINDOW_SIZE),
        "peak_sample": (peak_sample, 0, window_size),
        "num_channels": (num_channels, 1, MAX_CHANNELS),
    }
    for name, (value, least, most) in limits.items():
        if not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"{name} is {value!r}; it must be an integer from {least} to {most}.")
    if window_size / sampling_rate > MAX_WINDOW_S:
        raise ValueError(
            f"window_size {window_size} at sampling_rate {sampling_rate} Hz is longer than {MAX_WINDOW_S} s; a spike "
            "lasts some ms."
        )


def _guess_peak(waveforms: torch.Tensor) -> int:
    """Return the sample at which spikes are largest in the mean, whatever offset their channels have."""
    if len(waveforms) == 0:
        return 0
    middle = (waveforms.shape[1] - 1) / 2
    ordered = waveforms.sort(dim=1).values
    # The median of an even number of samples lies between two of them.
    median = (ordered[:, math.floor(middle)] + ordered[:, math.ceil(middle)]) / 2
    return int((waveforms - median[:, None]).square().mean(dim=(0, 2)).argmax())


def _warn_of_lost_peaks(waveforms: torch.Tensor, kept: torch.Tensor) -> None:
    """Say that positions may be relative to something else, if most spikes are largest on a channel left out."""
    largest = waveforms.abs().amax(dim=1).argmax(dim=1)
    is_lost = (kept != largest[:, None]).all(dim=1)
    num_lost = int(is_lost.sum())
    if num_lost > 0.5 * len(is_lost):
        logger.warning_once(
            f"{num_lost} of {len(is_lost)} spikes are largest on a channel that is not among the {kept.shape[1]} "
            "nearest to the origin of channel_positions, which are all that the model sees. Give channel_positions "
            "relative to each spike's peak channel: subtract that channel's position."
        )


def _per_spike(
    values: np.ndarray | torch.Tensor | Sequence | None, name: str, shape: tuple, fill: float, device: torch.device
) -> torch.Tensor:
    """Broadcast per-channel values to one row per spike, or say what shape was wanted."""
    if values is None:
        return torch.full(shape, fill, device=device)
    values = as_tensor(values, name).to(device)
    if tuple(values.shape) not in (shape, shape[1:]):
        raise ValueError(
            f"Got {name} of shape {tuple(values.shape)}; expected {shape[1:]} or {shape} to fit the waveforms."
        )
    return values.expand(shape)


def _resample(waveforms: torch.Tensor, resampling: torch.Tensor) -> torch.Tensor:
    """Apply a linear map `(num_samples, window_size)` to each channel of each spike, in one product of matrices."""
    num_spikes, num_samples, num_channels = waveforms.shape
    by_sample = waveforms.double().transpose(0, 1).reshape(num_samples, -1)
    return (resampling.T @ by_sample).float().reshape(resampling.shape[1], num_spikes, num_channels).transpose(0, 1)


def resampling_matrix(
    num_samples: int, peak_sample: int, rate_hz: float, window_size: int, window_peak: int, window_rate_hz: float
) -> np.ndarray:
    """Return the linear map `(num_samples, window_size)` from a waveform to the model's window.

    Band-limited interpolation with a Hann-windowed sinc that cuts off at half the lower of the two rates (Smith &
    Gossett 1984). The troughs coincide; times outside the given waveform are taken as zero. At equal rates the map
    only shifts, pads and crops, exactly.
    """
    given_s = (np.arange(num_samples) - peak_sample) / rate_hz
    wanted_s = (np.arange(window_size) - window_peak) / window_rate_hz
    lower_hz = min(rate_hz, window_rate_hz)
    lag = (wanted_s[None, :] - given_s[:, None]) * lower_hz
    window = np.where(np.abs(lag) < KERNEL_HALF_WIDTH, np.cos(0.5 * np.pi * lag / KERNEL_HALF_WIDTH) ** 2, 0.0)
    return np.sinc(lag) * window * (lower_hz / rate_hz)


__all__ = ["HuiduRepFeatureExtractor"]

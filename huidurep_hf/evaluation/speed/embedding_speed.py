"""Spikes a second through the models, and their share of the machine's fastest matrix product."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from ...model.modeling_huidurep import HuiduRepModel
from ...sorting.encoder import SpikeEncoder
from ...sorting.sorter import SpikeSorter
from ...sorting.spikes import Spikes
from ...workers import Workers
from .matrix_peak import measure_matrix_peak
from .repeated import WAYS, measure_rate

if TYPE_CHECKING:
    from ...recording.preprocessing.preparation import PreparedRecording

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
# From features in memory to the model's output; to embeddings and places alone; or from traces in memory to embeddings,
# places and sizes, as the sorter does for the peaks that units are learned from.
MODEL_PATH, ALONE_PATH, PEAKS_PATH = "model", "model, embedding alone", "peaks"


@dataclass(frozen=True)
class EmbeddingSize:
    """How much is measured.

    Attributes:
        batch_size: spikes in one pass of the model; the sorter's default.
        matrix_size: rows and columns of the matrices.
        min_seconds: of each measurement, s.
    """

    batch_size: int = 512
    matrix_size: int = 4096
    min_seconds: float = 5.0


EMBEDDING_SIZES = {"standard": EmbeddingSize(), "smoke": EmbeddingSize(16, 128, 0.05)}


def measure_embedding(
    models: list[str], size: EmbeddingSize, device: torch.device, prepared: PreparedRecording, peaks: Spikes
) -> dict:
    """Measure each model in each precision and the matrix peaks, in this process.

    Args:
        models: checkpoints.
        size: how much.
        device: where.
        prepared: [`~huidurep_hf.recording.preprocessing.preparation.PreparedRecording`], traces in memory.
        peaks: table of its peaks, in order.

    Returns:
        `matrix`: dicts of `dtype`, `way`, `gflops_per_s`; `rates`: dicts of `model`, `dtype`, `path`, `way`,
        `spikes_per_s`, `gflop_per_spike` (10⁹ operations of the model for a spike).
    """
    matrix = [
        {"dtype": dtype, "way": way, "gflops_per_s": rate}
        for dtype, kind in DTYPES.items()
        for way, rate in measure_matrix_peak(kind, device, size.matrix_size, size.min_seconds).items()
    ]
    rates = [
        {"model": model, "dtype": dtype, **rate}
        for model in models
        for dtype in DTYPES
        for rate in _measure_model(model, DTYPES[dtype], size, device, prepared, peaks)
    ]
    return {"matrix": matrix, "rates": rates}


@torch.no_grad()
def count_operations(model: str, batch_size: int = 8, *, denoise: bool = True) -> float:
    """Multiplications and additions of the model for one spike, 10⁹; with its denoiser unless that is left out."""
    sorter = SpikeSorter.from_pretrained(model, device="cpu")
    # Fused attention is not counted.
    eager = HuiduRepModel.from_pretrained(sorter.model.config.name_or_path or model, attn_implementation="eager").eval()
    features = _features(sorter, batch_size)
    with FlopCounterMode(display=False) as counter:
        eager(**features, denoise=denoise)
    return 1e-9 * counter.get_total_flops() / batch_size


def _measure_model(
    name: str, dtype: torch.dtype, size: EmbeddingSize, device: torch.device, prepared: PreparedRecording, peaks: Spikes
) -> Iterator[dict]:
    sorter = SpikeSorter.from_pretrained(name, device=device, dtype=dtype)
    features = {key: value.to(device, dtype) for key, value in _features(sorter, size.batch_size).items()}
    operations = count_operations(name)

    @torch.no_grad()
    def call(denoise: bool = True) -> None:
        sorter.model(**features, denoise=denoise)

    rate = 0.0
    for way in WAYS if device.type == "cpu" else WAYS[:1]:
        rate = size.batch_size * measure_rate(call, way, device, size.min_seconds)
        yield {"path": MODEL_PATH, "way": way, "spikes_per_s": rate, "gflop_per_spike": operations}

    way = WAYS[-1] if device.type == "cpu" else WAYS[0]
    alone = size.batch_size * measure_rate(partial(call, denoise=False), way, device, size.min_seconds)
    fewer = count_operations(name, denoise=False)
    yield {"path": ALONE_PATH, "way": way, "spikes_per_s": alone, "gflop_per_spike": fewer}
    workers = Workers(None if device.type == "cpu" else 1)
    least = size.batch_size * workers.num_workers
    some = peaks[np.arange(min(max(int(rate * size.min_seconds), least), len(peaks)))]
    encoder = SpikeEncoder(sorter.model, sorter.feature_extractor)
    started = time.perf_counter()
    encoder(prepared, some, batch_size=size.batch_size, workers=workers)
    rate = len(some) / (time.perf_counter() - started)
    yield {"path": PEAKS_PATH, "way": "workers", "spikes_per_s": rate, "gflop_per_spike": operations}


def _features(sorter: SpikeSorter, num_spikes: int) -> dict[str, torch.Tensor]:
    """Noise, as large as the model's input; what it takes does not depend on what is in it."""
    config = sorter.model.config
    shape = (num_spikes, config.window_size, config.num_channels)
    waveforms = np.random.default_rng(0).normal(size=shape).astype("float32")
    positions = np.column_stack([np.zeros(config.num_channels), 20.0 * np.arange(config.num_channels)])
    return dict(
        sorter.feature_extractor(
            waveforms,
            sampling_rate=config.sampling_rate,
            channel_positions=positions,
            peak_sample=config.peak_sample,
            return_tensors="pt",
        )
    )

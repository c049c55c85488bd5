"""The embedding's figures, a row a turn, kept as they come."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from tqdm import tqdm

from ...model.modeling_huidurep import HuiduRepModel
from ...recording.scan import scan
from ...sorting.parameters import SortingParameters
from ...sorting.spikes import Spikes
from ..records.run_record import ResultFile, hash_weights
from .embedding_speed import EMBEDDING_SIZES, measure_embedding
from .generated_recordings import SIZES, generate, with_changes
from .machine import load_average

EMBEDDING_WORK = "embedding"
# Peaks of so many seconds of 32 channels: more than are embedded in a measurement on a few cores.
PEAKS_S = {"standard": 60.0, "smoke": 2.0}


def time_embedding(
    models: list[str],
    results: ResultFile,
    identity: dict,
    *,
    size: str = "standard",
    repeats: int = 3,
    progress: bool = True,
) -> None:
    """Measure the models; go on where an earlier run was cut short.

    Args:
        models: checkpoints, the published path's first.
        results: where rows go.
        identity: `machine` and `sources_sha256`.
        size: of `EMBEDDING_SIZES`.
        repeats: turns.
        progress: show a progress bar.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    hashes = {name: hash_weights(HuiduRepModel.from_pretrained(name)) for name in models}
    keys = [
        {"work": EMBEDDING_WORK, "size": size, "models": hashes, "device": device.type, "turn": turn, **identity}
        for turn in range(1, repeats + 1)
    ]
    missing = [key for key in keys if not results.has_row(**key)]
    if not missing:
        return
    prepared, peaks = _find_peaks(PEAKS_S[size])
    for key in tqdm(missing, desc=EMBEDDING_WORK, disable=not progress):
        load_before = load_average()
        figures = measure_embedding(models, EMBEDDING_SIZES[size], device, prepared, peaks)
        results.drop_rows(**{field: value for field, value in key.items() if field != "sources_sha256"})
        results.add_row({**key, "load_average": load_before, **figures})


def _find_peaks(seconds: float) -> tuple[object, Spikes]:
    """Traces in memory and their peaks."""
    parameters = SortingParameters()
    with tempfile.TemporaryDirectory(prefix="speed_peaks_") as folder:
        recording, _, _ = generate(with_changes(SIZES["short32"], duration_s=seconds), Path(folder))
        prepared, peaks = scan(recording, parameters)
    return prepared, Spikes.from_peaks(peaks)

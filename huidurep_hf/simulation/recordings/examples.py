"""Example recordings that need no NEURON: templates that ship with the package, fired and recorded on the spot."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from ..electrodes.probes import make_probe
from .injection import GroundTruthRecording, RecordingChain, UnitTemplates, record_units

EXAMPLE_NAMES = ("silicon32", "tetrode")
"""`silicon32`: 20 units on the layout `poly2_32`; `tetrode`: 8 units on `tetrode_diamond`; both of held-out cells."""

EXAMPLE_NOISE_UV = 9.0
_SAMPLING_RATE = 30_000.0


def example_recording(name: str = "silicon32", duration_s: float = 60.0, seed: int = 0) -> GroundTruthRecording:
    """Make an example recording whose true spikes are known, from bundled templates.

    Args:
        name: from `EXAMPLE_NAMES`.
        duration_s: length.
        seed: of the spike trains and the noise; the units are always the same.

    Returns:
        The recording with its true sorting and a table of its units.

    Raises:
        ValueError: no example has that name, or the duration is too short.
    """
    if name not in EXAMPLE_NAMES:
        raise ValueError(f"Got example {name!r}; expected one of {list(EXAMPLE_NAMES)}.")
    with resources.as_file(resources.files("huidurep_hf.simulation.recordings") / "examples" / f"{name}.npz") as path:
        templates, probe = load_templates(path)
    chain = RecordingChain(duration_s, EXAMPLE_NOISE_UV, sampling_rate=_SAMPLING_RATE, seed=seed)
    return record_units(templates, make_probe(probe), chain)


def save_templates(path: str | Path, templates: UnitTemplates, probe: str) -> None:
    """Write templates at rest as float16 with the name of their layout; `load_templates` reads them."""
    at_rest = int(np.abs(templates.displacements_um).argmin())
    columns = {name: templates.units[name].to_numpy() for name in templates.units}
    columns["cell_type"] = columns["cell_type"].astype(str)
    np.savez_compressed(
        path,
        waveforms=templates.waveforms[at_rest].astype(np.float16),
        peak_sample=templates.peak_sample,
        probe=probe,
        **columns,
    )


def load_templates(path: str | Path) -> tuple[UnitTemplates, str]:
    """Read what `save_templates` wrote: the templates at rest, and the name of their layout."""
    with np.load(path) as stored:
        values = {name: stored[name] for name in stored.files}
    waveforms = values.pop("waveforms").astype(np.float32)[None]
    peak_sample, probe = int(values.pop("peak_sample")), str(values.pop("probe"))
    return UnitTemplates(waveforms, np.zeros(1), peak_sample, pd.DataFrame(values)), probe

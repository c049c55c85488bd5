"""What the simulation keeps of a neuron: its membrane currents around a few of its spikes, and its shape."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class CellCurrents:
    """Membrane currents of one neuron around several of its spikes.

    The soma's centre is the origin and cortical depth is the y axis (apical dendrites point to +y).

    Attributes:
        name: name of the cell model, or of the family of a stylised neuron.
        currents: `(num_spikes, num_segments, num_samples)`, transmembrane currents in nA.
        segment_start: `(num_segments, 3)`, where each segment begins, µm.
        segment_end: `(num_segments, 3)`, where each segment ends, µm.
        segment_diameter: `(num_segments,)`, µm.
        sampling_rate: samples per second of the currents, Hz.
        spike_sample: sample at which the somatic membrane potential peaks.
        upright: the neuron's depth axis follows the depth of the tissue; otherwise it lies in any direction.
    """

    name: str
    currents: np.ndarray
    segment_start: np.ndarray
    segment_end: np.ndarray
    segment_diameter: np.ndarray
    sampling_rate: float
    spike_sample: int
    upright: bool = False

    @property
    def num_spikes(self) -> int:
        """Number of spikes (shape variants) kept of this cell."""
        return len(self.currents)

    def save(self, path: str | Path) -> None:
        """Write to an `.npz` file, beside it first, so that no half-written file is ever found there."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Ends in .npz, or numpy would add it and the rename would miss the file.
        unfinished = path.with_name(f".{os.getpid()}-{path.name}")
        np.savez_compressed(unfinished, **{field.name: getattr(self, field.name) for field in fields(self)})
        unfinished.replace(path)

    @classmethod
    def load(cls, path: str | Path) -> CellCurrents:
        """Read what `save` wrote."""
        with np.load(path) as stored:
            # Files from before there was `upright` lack it.
            values = {field.name: stored[field.name] for field in fields(cls) if field.name in stored}
        for name, kind in (("name", str), ("sampling_rate", float), ("spike_sample", int), ("upright", bool)):
            if name in values:
                values[name] = kind(values[name])
        return cls(**values)

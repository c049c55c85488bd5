"""The simulated sessions that units are followed over, by name, and what of them is for development."""

from dataclasses import replace

import numpy as np

from ...simulation.neurons.cells import HELD_OUT_CELLS, TRAINING_CELLS
from ...simulation.recordings.session_settings import SessionSettings

FIRST_REPORTING_SEED = 100
"""Seeds from here on are of held-out cells and are reported; lower ones are of training cells and for development."""

_TETRODE = SessionSettings("tetrode_diamond", num_neurons=10)
_SILICON32 = SessionSettings("poly2_32", num_neurons=24)
_POLYTRODE64 = SessionSettings("polytrode_64", num_neurons=45)
_NEUROPIXELS1 = SessionSettings("neuropixels1_96", num_neurons=60)
_NEUROPIXELS2 = SessionSettings("neuropixels2", num_neurons=40)

_OTHER_CHAIN = {"gain_change": 0.5, "noise_change": 0.5}
_OTHER_SHAPE = {"distance_step_um": 4.0, "amplitude_step": 0.15}

CONDITIONS: dict[str, SessionSettings] = {
    "tetrode": _TETRODE,
    "tetrode_changed": replace(_TETRODE, replaced_share=0.2, **_OTHER_CHAIN, **_OTHER_SHAPE),
    "silicon32": _SILICON32,
    "silicon32_30um": replace(_SILICON32, displacement_um=30.0),
    "silicon32_30um_chain": replace(_SILICON32, displacement_um=30.0, **_OTHER_CHAIN),
    "silicon32_30um_shape": replace(_SILICON32, displacement_um=30.0, replaced_share=0.2, **_OTHER_SHAPE),
    "polytrode64_30um_drift": replace(_POLYTRODE64, displacement_um=30.0, drift_um=30.0),
    "neuropixels1_100um": replace(_NEUROPIXELS1, displacement_um=100.0, drift_um=20.0),
    "neuropixels1_300um": replace(_NEUROPIXELS1, displacement_um=300.0, replaced_share=0.4),
    "neuropixels2_100um": replace(_NEUROPIXELS2, displacement_um=100.0, replaced_share=0.2, **_OTHER_CHAIN),
    "silicon32_ten_days": replace(
        _SILICON32, num_days=10, displacement_um=30.0, replaced_share=0.2, silent_share=0.1, distance_step_um=1.0
    ),
}
"""Two days unless the name says otherwise."""

SMOKE_CONDITION = "smoke"
_SMOKE = replace(_TETRODE, num_neurons=4, duration_s=10.0)

_DEVELOPMENT_PROBES = {
    "tetrode_diamond": "tetrode",
    "poly2_32": "neuronexus32",
    "polytrode_64": "neuropixels2",
    "neuropixels1_96": "neuropixels1",
}


def condition_settings(name: str, seed: int) -> SessionSettings:
    """Return what the sessions of a condition are made of.

    Args:
        name: of `CONDITIONS`, or `"smoke"`.
        seed: below 100 for development: some of the training cells, and layouts that training data may be made on.

    Raises:
        ValueError: no condition has that name.
    """
    known = {**CONDITIONS, SMOKE_CONDITION: _SMOKE}
    if name not in known:
        raise ValueError(f"Unknown condition {name!r}; there are {', '.join(known)}.")
    settings = replace(known[name], seed=seed)
    if seed >= FIRST_REPORTING_SEED or name == SMOKE_CONDITION:
        return settings
    # As few kinds of neurons as there are held-out ones: neurons of one kind are the hard ones to tell apart.
    num_kinds = len(HELD_OUT_CELLS)
    cells = tuple(np.roll(TRAINING_CELLS, -num_kinds * seed)[:num_kinds].tolist())
    return replace(settings, probe=_DEVELOPMENT_PROBES.get(settings.probe, settings.probe), cells=cells)

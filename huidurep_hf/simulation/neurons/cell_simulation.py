"""Running a cell model in NEURON: compile its channels, inject current, keep what crosses the membrane.

The models are the 13 rat layer-5 neurons of the Blue Brain Project (Markram et al., Cell 2015) as MEArec bundles
them (Buccino & Einevoll, Neuroinformatics 2021). They are CC BY-NC-SA 4.0, and so is what is simulated from them.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from ..currents import CellCurrents
from .mechanism_compiler import INSTALL, new_cache_folder, run_compiler
from .somatic_spikes import SAMPLES_AFTER, SAMPLES_BEFORE, TIME_STEP_MS, choose_spikes


def compile_mechanisms(cache_dir: Path) -> Path:
    """Copy MEArec's cell models into the cache and compile their ion channels there, once.

    Args:
        cache_dir: cache folder; the models go to `cache_dir / "cell_models"`.

    Returns:
        The folder of the cell models.

    Raises:
        ModuleNotFoundError: MEArec, LFPy or NEURON is not installed.
        RuntimeError: there is no compiler, or it refused the mechanisms.
    """
    bundled = _bundled_models()
    models_dir = cache_dir / "cell_models"
    if not models_dir.is_dir():
        with new_cache_folder(models_dir) as unfinished:
            ignored = shutil.ignore_patterns("__pycache__", "mods", "x86_64", "arm64")
            shutil.copytree(bundled, unfinished, ignore=ignored, dirs_exist_ok=True)
            mods = unfinished / "mods"
            mods.mkdir()
            for source in sorted(unfinished.glob("*/mechanisms/*.mod")):
                shutil.copy(source, mods)
            run_compiler(mods)
    return models_dir


def simulate_cell(name: str, cache_dir: Path) -> CellCurrents:
    """Run one cell model and keep its membrane currents around up to five different spikes.

    The soma is held at the model's own holding current and receives a weak and a strong current step, so the spikes
    kept differ in drive and in their place in the train (first, second, last). Call it once per process.

    Args:
        name: cell model, e.g. `"L5_LBC"`.
        cache_dir: folder in which `compile_mechanisms` put the models.

    Returns:
        The currents, sampled at 32 kHz from 2.5 ms before to 5.5 ms after the somatic peak.

    Raises:
        ModuleNotFoundError: MEArec, LFPy or NEURON is not installed.
        RuntimeError: the model did not spike.
    """
    models_dir = compile_mechanisms(cache_dir)
    import neuron
    from MEArec.simulate_cells import return_bbp_cell

    folder = next(models_dir.glob(f"{name}_*"))
    settle_ms, step_ms, pause_ms = 100.0, 350.0, 50.0
    duration_ms = settle_ms + 2 * step_ms + pause_ms + 10
    cell = return_bbp_cell(str(folder), end_T=duration_ms, dt=TIME_STEP_MS, start_T=0)

    holding_na, weak_na, _, strong_na = (
        float(value) for value in (folder / "current_amps.dat").read_text().split()[:4]
    )
    soma = next(section for section in cell.allseclist if "soma" in section.name())
    clamps = []
    for start_ms, length_ms, current_na in (
        (0.0, duration_ms, holding_na),
        (settle_ms, step_ms, weak_na),
        (settle_ms + step_ms + pause_ms, step_ms, 1.3 * strong_na),
    ):
        clamp = neuron.h.IClamp(0.5, sec=soma)
        clamp.delay, clamp.dur, clamp.amp = start_ms, length_ms, current_na
        clamps.append(clamp)
    cell.simulate(rec_imem=True)

    steps = np.array([settle_ms, settle_ms + step_ms + pause_ms]) / TIME_STEP_MS
    spikes = choose_spikes(np.asarray(cell.somav), steps)
    if len(spikes) == 0:
        raise RuntimeError(f"Cell model {name} did not spike with {weak_na} and {1.3 * strong_na} nA.")
    centre = np.array([cell.x[cell.somaidx].mean(), cell.y[cell.somaidx].mean(), cell.z[cell.somaidx].mean()])
    return CellCurrents(
        name=name,
        currents=np.stack(
            [cell.imem[:, spike - SAMPLES_BEFORE : spike + SAMPLES_AFTER + 1] for spike in spikes]
        ).astype(np.float32),
        segment_start=np.stack([cell.x[:, 0], cell.y[:, 0], cell.z[:, 0]], axis=1) - centre,
        segment_end=np.stack([cell.x[:, -1], cell.y[:, -1], cell.z[:, -1]], axis=1) - centre,
        segment_diameter=np.asarray(cell.d),
        sampling_rate=1000 / TIME_STEP_MS,
        spike_sample=SAMPLES_BEFORE,
    )


def _bundled_models() -> Path:
    try:
        import LFPy  # noqa: F401
        import MEArec
        import neuron  # noqa: F401
    except ImportError as error:
        raise ModuleNotFoundError(
            f"Simulating cell models needs MEArec, LFPy and NEURON ({error}). {INSTALL}"
        ) from error
    return Path(MEArec.__file__).parent / "cell_models" / "bbp"

"""The neurons of the simulation: which cell models there are, simulated once and kept in a cache."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from ..currents import CellCurrents
from .cell_simulation import compile_mechanisms

logger = logging.getLogger("huidurep_hf")

TRAINING_CELLS = ("L5_BP", "L5_BTC", "L5_ChC", "L5_DBC", "L5_LBC", "L5_NGC", "L5_SBC", "L5_TTPC1", "L5_UTPC")
"""Cell models that training data may be made from."""

HELD_OUT_CELLS = ("L5_TTPC2", "L5_NBC", "L5_MC", "L5_STPC")
"""Cell models kept out of all training, for ever: every figure we report is measured on them."""

UPRIGHT_CELLS = ("L5_BP", "L5_MC", "L5_STPC", "L5_TTPC1", "L5_TTPC2", "L5_UTPC")
"""Cell models whose dendrites follow the depth of cortex; the others lie in any direction."""


def default_cache_dir() -> Path:
    """Folder of simulated cells: `HUIDUREP_CACHE`, or `~/.cache/huidurep`."""
    return Path(os.environ.get("HUIDUREP_CACHE", Path.home() / ".cache" / "huidurep"))


def load_cells(
    names: tuple[str, ...] = TRAINING_CELLS, cache_dir: str | Path | None = None, progress: bool = True
) -> dict[str, CellCurrents]:
    """Membrane currents of the cell models, simulated with NEURON where the cache does not have them yet.

    Args:
        names: cell models, from `TRAINING_CELLS` and `HELD_OUT_CELLS`.
        cache_dir: where simulated cells are kept, `default_cache_dir()` when None.
        progress: show a progress bar while cells are simulated.

    Returns:
        The cells by name, in the order asked for.

    Raises:
        ValueError: a name is no known cell model.
        ModuleNotFoundError: a cell has to be simulated and NEURON, LFPy or MEArec is not installed.
        RuntimeError: compiling the mechanisms or the simulation failed.
    """
    known = TRAINING_CELLS + HELD_OUT_CELLS
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"Got cell model(s) {unknown}; expected names among {list(known)}.")
    cache_dir = Path(cache_dir) if cache_dir is not None else default_cache_dir()
    paths = {name: cache_dir / "cells" / f"{name}.npz" for name in names}
    missing = [name for name, path in paths.items() if not path.is_file()]
    if missing:
        _simulate_in_processes(missing, cache_dir, progress)
    return {name: replace(CellCurrents.load(path), upright=name in UPRIGHT_CELLS) for name, path in paths.items()}


def _simulate_in_processes(names: list[str], cache_dir: Path, progress: bool) -> None:
    # One process per cell: NEURON keeps templates and mechanisms of all models in one global namespace.
    compile_mechanisms(cache_dir)
    logger.info("Simulating %d cell model(s) with NEURON: %s", len(names), ", ".join(names))
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        runs = {pool.submit(_simulate_in_process, name, cache_dir): name for name in names}
        for run in tqdm(as_completed(runs), total=len(runs), desc="simulate cells", disable=not progress):
            run.result()


def _simulate_in_process(name: str, cache_dir: Path) -> None:
    code = (
        "import sys; from pathlib import Path; "
        "from huidurep_hf.simulation.neurons.cell_simulation import simulate_cell; "
        "simulate_cell(sys.argv[1], Path(sys.argv[2])).save(Path(sys.argv[2]) / 'cells' / f'{sys.argv[1]}.npz')"
    )
    run = subprocess.run([sys.executable, "-c", code, name, str(cache_dir)], capture_output=True, text=True)
    if run.returncode != 0:
        raise RuntimeError(f"Simulating cell model {name} failed:\n{run.stderr[-2000:]}")

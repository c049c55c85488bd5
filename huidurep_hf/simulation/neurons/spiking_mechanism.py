"""Our own membrane mechanism, `mechanisms/spiking.mod`, compiled once into the cache and loaded into NEURON."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from pathlib import Path

from .cells import default_cache_dir
from .mechanism_compiler import INSTALL, new_cache_folder, run_compiler


@cache
def load_mechanism() -> None:
    """Make the mechanism `spiking` known to NEURON in this process, once: a second copy would be refused.

    Raises:
        ModuleNotFoundError: NEURON is not installed.
        RuntimeError: there is no compiler, or it refused the mechanism.
    """
    try:
        import neuron
    except ImportError as error:
        raise ModuleNotFoundError(f"Simulating neurons needs NEURON ({error}). {INSTALL}") from error
    folder = compile_mechanism(default_cache_dir())
    if not neuron.load_mechanisms(str(folder), warn_if_already_loaded=False):
        raise RuntimeError(f"NEURON found no compiled mechanism in {folder}; delete that folder.")


def compile_mechanism(cache_dir: Path) -> Path:
    """Copy the mechanism into the cache and compile it there, unless this very text of it is there already.

    Returns:
        Its folder.

    Raises:
        RuntimeError: as `load_mechanism`.
    """
    source = resources.files("huidurep_hf.simulation.neurons") / "mechanisms" / "spiking.mod"
    text = source.read_bytes()
    folder = cache_dir / f"spiking-{hashlib.sha256(text).hexdigest()[:12]}"
    if not folder.is_dir():
        with new_cache_folder(folder) as unfinished:
            (unfinished / "spiking.mod").write_bytes(text)
            run_compiler(unfinished)
    return folder

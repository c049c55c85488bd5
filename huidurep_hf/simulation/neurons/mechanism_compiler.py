"""Compiling NEURON's membrane mechanisms (NMODL files) with `nrnivmodl`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

INSTALL = 'Install it with `pip install "huidurep-hf[simulation]"`.'


@contextmanager
def new_cache_folder(folder: Path) -> Iterator[Path]:
    """Give a folder beside the final place to compile in; move it there at the end.

    Where another process was quicker, its folder stays.
    """
    unfinished = folder.with_name(f".{folder.name}.unfinished-{os.getpid()}")
    try:
        unfinished.mkdir(parents=True)
        yield unfinished
        if not folder.exists():
            unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def run_compiler(folder: Path) -> None:
    """Compile the `.mod` files of a folder, there.

    Raises:
        RuntimeError: there is no compiler, or it refused the mechanisms.
    """
    # Not on the PATH when Python is called by its full path without activating its environment.
    compiler = shutil.which("nrnivmodl") or str(Path(sys.executable).with_name("nrnivmodl"))
    try:
        run = subprocess.run([compiler], cwd=folder, capture_output=True, text=True)
        said = run.stderr[-2000:] if run.returncode else None
    except FileNotFoundError as error:
        said = str(error)
    if said is not None:
        raise RuntimeError(
            "Compiling ion channels with nrnivmodl failed. It needs gcc and make "
            f"(Debian: `apt-get install build-essential`) and neuron==8.2.7. {INSTALL}\n{said}"
        )

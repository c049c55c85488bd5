"""The folder of scratch files and finished parts of a run, until it has ended."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from ..output_path import beside, short_hash

logger = logging.getLogger("huidurep_hf")

DESCRIPTION_FILE = "run.json"
# Want of memory or of room, or a disk that is gone: another try may succeed.
NOT_OF_THE_CALL = (MemoryError, torch.OutOfMemoryError, OSError)
# Entries that may differ between two runs of the same result.
NOT_COMPARED = ("created",)


@contextmanager
def run_folder(
    output_folder: str | Path | None, scratch_folder: str | Path | None, description: dict
) -> Iterator[tuple[Path, Path | None]]:
    """Give a run its scratch folder, and one for its finished parts; both are removed when it ends.

    With an output folder NAME they lie in `.NAME.work` beside it, or in the scratch folder that is given. If a run of
    the same description was stopped there, its files are kept and used; those of any other run are removed. So are
    those of killed runs without an output folder. A failure for want of memory or disk leaves the files for the next
    call.

    Args:
        output_folder: of the run, which has claimed it; None for one that saves nothing and cannot be resumed.
        scratch_folder: where the files are to lie; its free room decides whether traces are copied.
        description: `dict` of plain JSON values, of which the result follows.

    Yields:
        `(scratch, parts)`: folders that exist; None for `parts` without an output folder.

    Raises:
        FileNotFoundError: the scratch folder that is given does not exist.
    """
    if scratch_folder is not None and not Path(scratch_folder).is_dir():
        raise FileNotFoundError(f"The scratch folder {scratch_folder} does not exist; make it, or give another one.")
    if output_folder is None:
        parent = Path(scratch_folder or tempfile.gettempdir())
        _remove_abandoned(parent)
        with tempfile.TemporaryDirectory(prefix=f"{_prefix()}{os.getpid()}-", dir=parent) as folder:
            yield Path(folder), None
        return
    work = beside(Path(output_folder), "work")
    if scratch_folder is not None:
        # Others may have outputs of the same name there.
        work = Path(scratch_folder) / f"{work.name}-{short_hash(Path(output_folder))}"
    compared = {name: value for name, value in description.items() if name not in NOT_COMPARED}
    if _description_of(work) == json.loads(json.dumps(compared)):
        logger.info("going on with the run that was stopped, from %s", work)
    else:
        shutil.rmtree(work, ignore_errors=True)
    parts = work / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    (work / DESCRIPTION_FILE).write_text(json.dumps(compared))
    try:
        yield work, parts
    except NOT_OF_THE_CALL:
        kept = "What is done is kept in %s (%.1f GB), and the same call goes on from there."
        logger.error(kept, work, size_gb(work))
        raise
    except Exception:
        # The same call would fail again.
        shutil.rmtree(work, ignore_errors=True)
        raise
    shutil.rmtree(work, ignore_errors=True)


def _description_of(work: Path) -> dict | None:
    try:
        return json.loads((work / DESCRIPTION_FILE).read_text())
    except (OSError, ValueError):
        return None


def size_gb(folder: Path) -> float:
    """What the files of a folder take on the disk, 10^9 bytes: parts of a file that were never written take nothing."""
    found = [path.stat() for path in folder.rglob("*") if path.is_file()]
    return 1e-9 * sum(min(one.st_size, 512 * one.st_blocks) for one in found)


def _prefix() -> str:
    return f".huidurep-{socket.gethostname()}-"


def _remove_abandoned(parent: Path) -> None:
    """Remove scratch folders of this machine's processes that are no more."""
    for folder in parent.glob(f"{_prefix()}*"):
        process = folder.name.removeprefix(_prefix()).partition("-")[0]
        if process.isdigit() and not _is_running(int(process)):
            logger.info("removed %s, which a killed run had left", folder)
            shutil.rmtree(folder, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        # Of another user.
        return True
    return True

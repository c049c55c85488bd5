"""Outputs that are checked before the work, belong to one run at a time, and appear whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Beside an output NAME, while it is written: `.NAME.partial` becomes NAME, and `.NAME.earlier` is what it replaces.
PARTIAL, EARLIER, LOCK = "partial", "earlier", "lock"


def check_writable(path: str | Path) -> None:
    """Make the folder that an output will lie in, and try to make something there of the output's name.

    Args:
        path: of a file or folder to be made.

    Raises:
        OSError: it cannot be made there; the message gives the reason.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # As long a name as any that is made beside the output.
        os.rmdir(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".checked", dir=path.parent))
    except (OSError, ValueError) as error:
        reason = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) else error
        raise OSError(f"The output {path} cannot be made ({reason}); give another place for it.") from error


def followed(path: str | Path) -> Path:
    """Where an output really lies: a link, to another disk perhaps, stays one, and what it leads to is written."""
    path = Path(path)
    return path.resolve() if os.path.islink(path) else path


@contextmanager
def claim(path: str | Path) -> Iterator[None]:
    """Keep others from writing an output meanwhile; within one thread it may be claimed again.

    What a killed run has left beside the output is removed; an earlier output that it was about to replace is put back.

    Args:
        path: of a file or folder to be made, in a folder that exists.

    Raises:
        FileExistsError: another run has claimed it.
    """
    from filelock import FileLock, Timeout

    path = Path(path)
    # The system releases it when the process ends, however that ends.
    lock = FileLock(beside(path, LOCK), is_singleton=True)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise FileExistsError(f"Another run is writing {path}; wait for it, or give another output.") from None
    is_first = lock.lock_counter == 1
    try:
        if is_first:
            _remove_leftovers(path)
        yield
    finally:
        if is_first:
            # While it is held: whoever waits for the file finds that it is gone, and makes another one.
            with suppress(OSError):
                os.unlink(beside(path, LOCK))
        lock.release()


def beside(path: Path, what: str) -> Path:
    """Path of a hidden file or folder beside an output."""
    return path.with_name(f".{path.name}.{what}")


def identity(path: Path) -> tuple[int, int] | None:
    """What tells a folder from another one of the same name; None where there is none."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def put_in_place(partial: Path, path: Path, earlier: tuple[int, int] | None) -> None:
    """Give a finished folder its name.

    Args:
        partial: the finished folder, beside its place.
        path: its place, no link (see [`followed`]).
        earlier: [`identity`] of the folder that it may replace.

    Raises:
        FileExistsError: a folder is there that is not to be replaced: somebody has made it in the meantime.
    """
    found = identity(path)
    if found != earlier and found is not None:
        raise FileExistsError(f"The output {path} was made by someone else in the meantime, and is not replaced.")
    if found is None:
        partial.rename(path)
        return
    # The earlier folder goes only once the new one is in its place.
    replaced = beside(path, EARLIER)
    path.rename(replaced)
    try:
        partial.rename(path)
    except BaseException:
        replaced.rename(path)
        raise
    shutil.rmtree(replaced, ignore_errors=True)


def short_hash(path: Path) -> str:
    """Eight digits that tell outputs of one name apart."""
    return hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:8]


def _remove_leftovers(path: Path) -> None:
    earlier = beside(path, EARLIER)
    if earlier.is_dir() and identity(path) is None:
        earlier.rename(path)
    for left in (earlier, beside(path, PARTIAL)):
        shutil.rmtree(left, ignore_errors=True)

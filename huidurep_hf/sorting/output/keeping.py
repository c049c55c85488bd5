"""Where a result goes whose own place failed: hours of work are not lost for a full disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

RESULT_FOLDER = "result"


def keep_elsewhere(save: Callable[[Path], Path], error: Exception, places: Sequence[Path | None]) -> None:
    """Save a result in the first place that takes it, and say where it is.

    Args:
        save: saves the result in a folder that is not there yet, and returns that.
        error: why it is not there.
        places: folders to try, the best first; the system's folder for temporary files is the last.

    Raises:
        OSError: always; the message names the folder.
    """
    for place in (*places, tempfile.gettempdir()):
        if place is None:
            continue
        folder = None
        try:
            folder = Path(tempfile.mkdtemp(prefix="huidurep-kept-", dir=place))
            kept = save(folder / RESULT_FOLDER)
        except Exception:
            if folder is not None:
                os.rmdir(folder)
            continue
        raise OSError(f"{error} The result is kept in {kept}; move it where you want it.") from error
    raise OSError(f"{error} The result could be kept nowhere.") from error

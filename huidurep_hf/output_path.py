"""Whether an output can be written, asked before the work and not after it."""

import os
import tempfile
from pathlib import Path


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
        os.rmdir(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except (OSError, ValueError) as error:
        reason = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) else error
        raise OSError(f"The output {path} cannot be made ({reason}); give another place for it.") from error

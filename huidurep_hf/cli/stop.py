"""SIGTERM stops a command as Ctrl-C does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Stop:
    """Whether somebody has asked the command to end.

    Attributes:
        is_asked: by SIGTERM.
    """

    def __init__(self) -> None:
        self.is_asked = False

    @property
    def exit_code(self) -> int:
        """As shells give it: 128 and the number of the signal."""
        return 128 + (signal.SIGTERM if self.is_asked else signal.SIGINT)

    @contextmanager
    def on_termination(self) -> Iterator[None]:
        """Raise `KeyboardInterrupt` where the process is when SIGTERM comes; a second one ends it at once."""
        if threading.current_thread() is not threading.main_thread():
            # Python lets no other thread handle signals.
            yield
            return

        def interrupt(number: int, frame: object) -> None:
            self.is_asked = True
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGTERM, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

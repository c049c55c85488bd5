"""SIGTERM stops a command as Ctrl-C does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# An import that runs is looked at again after this, s.
LOOK_AGAIN_S = 0.02


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
        """Raise `KeyboardInterrupt` where the process is when SIGTERM comes; a second one ends it at once.

        An import is let run to its end before: compiled modules that are interrupted while they are made turn the
        interruption into another error, or end the process.
        """
        if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
            # Python lets no other thread handle signals, and Windows has no timer of a process.
            yield
            return

        def interrupt(number: int, frame: FrameType | None) -> None:
            self.is_asked = True
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            if _is_importing(frame):
                signal.setitimer(signal.ITIMER_REAL, LOOK_AGAIN_S)
            else:
                raise KeyboardInterrupt

        before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGALRM)}
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in before.items():
                signal.signal(number, handler)


def _is_importing(frame: FrameType | None) -> bool:
    """Whether a frame is called, over any number of others, by Python's import."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False

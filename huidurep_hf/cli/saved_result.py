"""What a command adds to the folder of a result that has been saved: its log and its page."""

from __future__ import annotations

import argparse
import io
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..output_path import identity

if TYPE_CHECKING:
    from spikeinterface.core import BaseSorting

    from ..sorting.output.result import SortingResult

logger = logging.getLogger("huidurep_hf")

LOG_FILE = "log.txt"
NOTHING_SAVED = "no result was written. The same command goes on from here."


@contextmanager
def kept_log() -> Iterator[io.StringIO]:
    """Text of all that is logged meanwhile, whatever is shown."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    try:
        yield text
    finally:
        logger.removeHandler(handler)


def write_log_and_page(
    log: io.StringIO, result: SortingResult, options: argparse.Namespace, truth: BaseSorting | None = None
) -> None:
    """Write the log of a saved result, then its page unless `options` ask for none.

    Args:
        log: of the run, which goes on.
        result: that was saved in `options.output`.
        options: `output`, `no_report` and `quiet` of the command line.
        truth: true spikes to compare with.

    Raises:
        OSError: the page cannot be made; the message says that the result is there.
    """
    # Before the page, which may fail or be interrupted.
    _write_log(log, options.output)
    if not options.no_report:
        _write_page(result, options.output, truth, progress=not options.quiet)
        _write_log(log, options.output)


def _write_page(result: SortingResult, folder: Path, truth: BaseSorting | None, *, progress: bool) -> None:
    """Write a saved result's page; if it fails, say that the result is there.

    Raises:
        OSError: the page cannot be made; the message says that the result is there.
    """
    from ..report.agreement import compare
    from ..report.page import REPORT_FILE, write_report

    start, agreement = time.perf_counter(), None
    try:
        if truth is not None:
            agreement = compare(result.sorting, truth, is_truth=True, names=("the sorting", "the truth"))
        write_report(result, folder / REPORT_FILE, agreement=agreement, progress=progress)
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise OSError(f"The page failed ({reason}), but {saved_sentence(folder)}") from error
    logger.info("report: %.1f s", time.perf_counter() - start)


def _write_log(log: io.StringIO, folder: Path) -> None:
    (folder / LOG_FILE).write_text(log.getvalue(), encoding="utf-8")


def note_start(options: argparse.Namespace) -> None:
    """Keep what is in a sort's OUT before it, so that an interruption can tell whether its result was saved."""
    options.replaced = identity(options.output)


def how_far(options: argparse.Namespace | None) -> str:
    """What an interrupted sort has left, in words; empty for other commands."""
    if not hasattr(options, "replaced"):
        return ""
    is_saved = identity(options.output) not in (None, options.replaced)
    return saved_sentence(options.output) if is_saved else NOTHING_SAVED


def saved_sentence(folder: Path) -> str:
    """Say that a result is saved, and how its page is written."""
    return f"the result is saved in {folder}. `huidurep report {folder}` writes its page."

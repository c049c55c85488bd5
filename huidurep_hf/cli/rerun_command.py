"""`huidurep rerun`: a result -> the same sort once more."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..recording.sources.layout_flags import add_layout, open_recording
from .saved_result import kept_log, note_start, write_log_and_page


def add_rerun_command(commands: argparse._SubParsersAction, common: argparse.ArgumentParser) -> None:
    """Add it to the parser.

    Args:
        commands: what `add_subparsers` returned.
        common: parent parser of flags that all commands have.
    """
    rerun = commands.add_parser("rerun", parents=[common], help="repeat the sort of a result, and compare the spikes")
    rerun.add_argument("result", metavar="RESULT", type=Path, help="result folder; it stays as it is")
    rerun.add_argument("output", metavar="OUT", type=Path, nargs="?", help="folder for the result of the repetition")
    rerun.add_argument("--overwrite", action="store_true", help="replace an earlier result there")
    rerun.add_argument("--no-report", action="store_true", help="write no report.html into OUT")
    rerun.add_argument("--recording", metavar="RECORDING", help="the same recording, if it has moved")
    rerun.add_argument("--model", help="the same model, if it has moved")
    rerun.add_argument("--device", help="cpu, cuda, ... (default: as then)")
    rerun.add_argument("--num-workers", type=int, metavar="N", help="threads that share the work (default: all cores)")
    add_layout(rerun)
    rerun.set_defaults(run=_rerun)


def _rerun(options: argparse.Namespace) -> None:
    from ..sorting.rerun import rerun

    if options.output:
        note_start(options)
    with kept_log() as log:
        repeated = rerun(
            options.result,
            recording=open_recording(options.recording, options) if options.recording else None,
            model=options.model,
            device=options.device,
            output_folder=options.output,
            overwrite=options.overwrite,
            num_workers=options.num_workers,
            progress=not options.quiet,
        )
        if options.output:
            write_log_and_page(log, repeated.result, options)
    if repeated.changed_versions:
        named = ", ".join(f"{package} {then}, now {now}" for package, (then, now) in repeated.changed_versions.items())
        print(f"versions  {named}")
    if not repeated.is_same:
        raise ValueError(
            f"The spikes differ from those of {options.result}: other versions or another processor can be the reason."
        )
    print(f"spikes    the same {repeated.result.sorting.to_spike_vector().size:,}, bit for bit")

"""The command `huidurep`: argument parsing and calls, nothing else."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
import warnings
from dataclasses import Field
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..device import choose_device
from ..recording.sources.layout_flags import add_layout, open_recording
from .curate_command import add_curate_command
from .doctor import run_doctor
from .export_command import add_export_command
from .model_commands import add_model_commands
from .rerun_command import add_rerun_command
from .result_commands import add_result_commands
from .saved_result import how_far, kept_log, note_start, write_log_and_page
from .stop import Stop
from .track_command import add_track_command

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording, BaseSorting

    from ..sorting.output.result import SortingResult
    from ..sorting.parameters import SortingParameters

logger = logging.getLogger("huidurep_hf")

USER_ERRORS = (ValueError, TypeError, OSError, ImportError)
DEFAULT_MODEL = "huidurep/base"
EXAMPLE_DURATION_S = 60.0
LOG_LEVELS = ("debug", "info", "warning", "error")
TRUTH_FOLDER, RECORDING_FOLDER = "truth", "recording"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: list of strings; those of the process if left out.

    Returns:
        `int` exit code: 0 done, 2 the user's mistake, said in one line on the error stream;
        130 and 143 stopped by Ctrl-C and by SIGTERM.
    """
    stop = Stop()
    with stop.on_termination():
        return _run(arguments, stop)


def _run(arguments: list[str] | None, stop: Stop) -> int:
    # The parser imports the settings, and may be interrupted as the rest.
    options = None
    try:
        options = build_parser().parse_args(arguments)
        _set_up_logging(options)
        options.run(options)
    except BrokenPipeError:
        # The reader of our output, such as `head`, has seen enough; the result is in its folder.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except USER_ERRORS as error:
        if stop.is_asked:
            # A library turned the interruption into an error.
            return _interrupted(stop, options)
        if options is None or options.debug:
            raise
        print(f"huidurep: {' '.join(str(error).split()) or type(error).__name__}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return _interrupted(stop, options)
    return 0


def _interrupted(stop: Stop, options: argparse.Namespace | None) -> int:
    left = how_far(options)
    print(f"huidurep: interrupted; {left}" if left else "huidurep: interrupted", file=sys.stderr)
    return stop.exit_code


def build_parser() -> argparse.ArgumentParser:
    """Build the parser; the sorting flags come from [`SortingParameters`]."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--quiet", action="store_true", help="no log but warnings, and no progress bars")
    common.add_argument("--log-level", choices=LOG_LEVELS, default="info", help="what is logged (default: %(default)s)")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")

    parser = argparse.ArgumentParser(prog="huidurep", description="Spike sorting with HuiduRep representations.")
    parser.add_argument("--version", action="version", version=f"huidurep {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    sort = commands.add_parser("sort", parents=[common], help="sort a recording")
    sort.add_argument("recording", metavar="RECORDING", help="file or folder that SpikeInterface reads, or raw binary")
    _add_output(sort)
    add_layout(sort)
    _add_parameters(sort)
    sort.set_defaults(run=_sort)

    info = commands.add_parser("info", parents=[common], help="say what is understood of a recording, without sorting")
    info.add_argument("recording", metavar="RECORDING", help="as in `sort`")
    add_layout(info)
    info.set_defaults(run=_info)

    table = commands.add_parser("sort-table", parents=[common], help="sort the recordings of a table")
    table.add_argument("table", metavar="TABLE", type=Path, help=".parquet, .csv or .jsonl with a column `recording`")
    _add_output(table)
    _add_parameters(table)
    table.set_defaults(run=_sort_table)

    example = commands.add_parser("example", parents=[common], help="sort an example whose true spikes are known")
    _add_output(example)
    example.add_argument("--name", default="silicon32", help="example recording (default: %(default)s)")
    example.add_argument("--duration", type=float, default=EXAMPLE_DURATION_S, metavar="S", help="default: %(default)s")
    _add_parameters(example)
    example.set_defaults(run=_example)

    add_result_commands(commands, common)
    add_rerun_command(commands, common)
    add_track_command(commands, common)
    add_curate_command(commands, common)
    add_export_command(commands, common)
    add_model_commands(commands, common, DEFAULT_MODEL)

    doctor = commands.add_parser("doctor", parents=[common], help="what is installed here, and a sort of 5 seconds")
    doctor.add_argument("--model", default=DEFAULT_MODEL, help="hub name or folder (default: %(default)s)")
    doctor.add_argument("--device", help="cpu, cuda, ... (default: a GPU where there is one)")
    doctor.set_defaults(run=run_doctor)

    checkpoints = commands.add_parser("checkpoints", help="the checkpoints that ship with the package")
    actions = checkpoints.add_subparsers(required=True, metavar="ACTION")
    install = actions.add_parser("install", parents=[common], help="copy them into the Hub's cache")
    install.add_argument("--cache-dir", type=Path, help="the Hub's cache, if not at its usual place")
    install.set_defaults(run=_install_checkpoints)
    listing = actions.add_parser("list", parents=[common], help="list them")
    listing.set_defaults(run=_list_checkpoints)
    return parser


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("output", metavar="OUT", type=Path, help="result folder, made by this command")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier result there")
    parser.add_argument("--keep-noise", action="store_true", help="keep units whose label is noise")
    parser.add_argument("--no-report", action="store_true", help="write no report.html into the result")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="hub name or folder (default: %(default)s)")
    parser.add_argument("--revision", help="revision of the model on the hub")
    parser.add_argument("--device", help="cpu, cuda, ... (default: a GPU where there is one)")
    parser.add_argument("--num-workers", type=int, metavar="N", help="threads that share the work (default: all cores)")
    parser.add_argument(
        "--dask-scheduler", metavar="ADDRESS", help="scheduler of a Dask cluster whose processes share the work"
    )
    parser.add_argument(
        "--scratch-folder",
        type=Path,
        metavar="FOLDER",
        help="where detected peaks, and preprocessed traces of a long recording, lie meanwhile (default: beside OUT)",
    )


def _add_parameters(parser: argparse.ArgumentParser) -> None:
    from ..sorting.parameters import SortingParameters

    group = parser.add_argument_group("method")
    for parameter in SortingParameters.list_settings():
        if parameter.metadata["expert"]:
            continue
        kind = int if parameter.type == int | None else parameter.type
        default = "automatic" if parameter.default is None else parameter.default
        unit = f", {parameter.metadata['unit']}" if parameter.metadata["unit"] else ""
        group.add_argument(
            "--" + parameter.name.replace("_", "-"),
            type=kind,
            choices=parameter.metadata["choices"],
            default=argparse.SUPPRESS,
            metavar=None if parameter.metadata["choices"] else kind.__name__.upper(),
            help=f"{parameter.metadata['description']}{unit} (default: {default})".replace("%", "%%"),
        )
    group.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="any setting by its name, also those without a flag of their own",
    )


def _sort(options: argparse.Namespace) -> None:
    from ..sorting.output.result import check_output_folder

    parameters = _parameters(options)
    choose_device(options.device)
    check_output_folder(options.output, options.overwrite)
    recording = open_recording(options.recording, options)
    result, seconds = _run_sorter(recording, parameters, options)
    _print_summary(result, seconds, options.output)


def _info(options: argparse.Namespace) -> None:
    from .recording_info import describe

    print(describe(open_recording(options.recording, options)))


def _sort_table(options: argparse.Namespace) -> None:
    from ..hub.checkpoints import resolve_checkpoint
    from .sort_table import FAILURES_FILE, sort_table

    parameters = _parameters(options)
    choose_device(options.device)
    # Once, and not for each recording.
    resolve_checkpoint(options.model, revision=options.revision)

    def sort_one(row: argparse.Namespace, output: Path) -> None:
        recording = open_recording(row.recording, row)
        _run_sorter(recording, parameters, argparse.Namespace(**{**vars(options), "output": output}))

    failed = sort_table(options.table, options.output, sort_one, overwrite=options.overwrite)
    if failed:
        raise ValueError(f"{len(failed)} recordings failed, see {options.output / FAILURES_FILE}: {', '.join(failed)}.")


def _example(options: argparse.Namespace) -> None:
    from ..evaluation.sorters.ground_truth import score_sorting
    from ..simulation.recordings.examples import example_recording
    from ..sorting.output.result import check_output_folder

    parameters = _parameters(options)
    choose_device(options.device)
    check_output_folder(options.output, options.overwrite)
    example = example_recording(options.name, duration_s=options.duration, seed=parameters.seed)
    result, seconds = _run_sorter(example.recording, parameters, options, truth=example.sorting)
    _, scores = score_sorting(result.sorting, example.sorting, unit_snr=example.unit_snr)
    _print_summary(result, seconds, options.output)
    print(
        f"truth     {scores['num_true_units_snr3']} units of SNR >= 3: mean accuracy {scores['accuracy_snr3']:.3f},"
        f" precision {scores['precision_snr3']:.3f}, recall {scores['recall_snr3']:.3f};"
        f" {scores['num_well_detected_units_snr3']} with accuracy >= 0.8"
    )


def _parameters(options: argparse.Namespace) -> SortingParameters:
    from ..settings import refuse_unknown
    from ..sorting.parameters import SortingParameters

    settings = {parameter.name: parameter for parameter in SortingParameters.list_settings()}
    values = {name: getattr(options, name) for name in settings if hasattr(options, name)}
    for given in options.set:
        name, separator, text = given.partition("=")
        if not separator:
            raise ValueError(f"Got --set {given!r}; NAME=VALUE is needed.")
        refuse_unknown([name], list(settings))
        values[name] = _value(settings[name], text)
    return SortingParameters.from_dict(values)


def _value(parameter: Field, text: str) -> int | float | str:
    kind = int if parameter.type == int | None else parameter.type
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"Got --set {parameter.name}={text}; {kind.__name__} is needed.") from None


def _run_sorter(
    recording: BaseRecording,
    parameters: SortingParameters,
    options: argparse.Namespace,
    truth: BaseSorting | None = None,
) -> tuple[SortingResult, float]:
    from ..sorting.sorter import SpikeSorter

    note_start(options)
    with kept_log() as log:
        start = time.perf_counter()
        sorter = SpikeSorter.from_pretrained(options.model, revision=options.revision, device=options.device)
        result = sorter.sort(
            recording,
            parameters=parameters,
            output_folder=options.output,
            overwrite=options.overwrite,
            keep_noise=options.keep_noise,
            progress=not options.quiet,
            num_workers=options.num_workers,
            scratch_folder=options.scratch_folder,
            dask_scheduler=options.dask_scheduler,
        )
        seconds = time.perf_counter() - start
        if truth is not None:
            # So that compare, export and rerun can be tried at once; before the page, which may fail.
            truth.save(folder=options.output / TRUTH_FOLDER)
            to_folder = {"folder": options.output / RECORDING_FOLDER, "format": "binary"}
            recording.save(**to_folder, progress_bar=False, verbose=False)
        write_log_and_page(log, result, options, truth)
    return result, seconds


def _print_summary(result: SortingResult, seconds: float, output: Path) -> None:
    counts = result.provenance["counts"]
    print(f"units     {counts['units']}")
    print(f"spikes    {counts.get('unit', 0)} sorted of {counts['events']} detected")
    print(f"time      {seconds:.1f} s")
    if result.provenance["preparation"]["unit"] == "raw":
        print("unit      the gain is unknown, so amplitudes are in the recording's own unit")
    print(f"files     {output}:")
    for path in sorted(output.iterdir()):
        print(f"          {path.name}")


def _install_checkpoints(options: argparse.Namespace) -> None:
    from ..hub.checkpoints import install_checkpoints

    for name, folder in install_checkpoints(options.cache_dir).items():
        print(f"{name}  {folder}")


def _list_checkpoints(options: argparse.Namespace) -> None:
    from ..hub.checkpoints import list_checkpoints

    for name, folder in list_checkpoints().items():
        print(f"{name}  {folder}")


def _set_up_logging(options: argparse.Namespace) -> None:
    level = logging.WARNING if options.quiet else getattr(logging, options.log_level.upper())
    shown = logging.StreamHandler()
    shown.setLevel(level)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[shown])
    # The log that a result keeps has what is not shown, too.
    logger.setLevel(min(level, logging.INFO))
    if options.quiet:
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
    if not options.debug:
        # Other packages' warnings would hide our own lines.
        warnings.simplefilter("ignore")


if __name__ == "__main__":
    sys.exit(main())

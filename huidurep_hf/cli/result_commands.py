"""The commands that look at results: `huidurep report`, `huidurep compare`, `huidurep plot`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spikeinterface.core import BaseSorting

PLOT_NAMES = ("template", "correlogram", "amplitudes")
MAX_PRINTED_UNITS = 40


def add_result_commands(commands: argparse._SubParsersAction, common: argparse.ArgumentParser) -> None:
    """Add them to the parser.

    Args:
        commands: what `add_subparsers` returned.
        common: parent parser of flags that all commands have.
    """
    report = commands.add_parser("report", parents=[common], help="write a result's page, report.html")
    report.add_argument("result", metavar="RESULT", type=Path, help="result folder")
    report.add_argument("--output", type=Path, metavar="FILE", help="the page (default: report.html in the folder)")
    report.add_argument("--truth", metavar="SORTING", help="true spikes to compare with, as SpikeInterface loads them")
    report.add_argument("--compare", metavar="SORTING", help="another result or sorting to compare with")
    report.set_defaults(run=_report)

    compare = commands.add_parser("compare", parents=[common], help="compare two results or sortings unit by unit")
    compare.add_argument("first", metavar="A", help="result folder, or a sorting that SpikeInterface loads")
    compare.add_argument("second", metavar="B", help="the same, of the same recording")
    compare.add_argument("--truth", action="store_true", help="B is the truth")
    compare.add_argument("--output", type=Path, metavar="FILE", help="write the comparison as a page, too")
    compare.set_defaults(run=_compare)

    plot = commands.add_parser("plot", parents=[common], help="draw a unit for a paper")
    plot.add_argument("result", metavar="RESULT", type=Path, help="result folder")
    plot.add_argument("--unit", type=int, required=True, metavar="N", help="number of the unit")
    plot.add_argument("--what", choices=PLOT_NAMES, default="template", help="default: %(default)s")
    plot.add_argument("--output", type=Path, metavar="FILE", help=".png, .svg or .pdf (default: unit_N_WHAT.png)")
    plot.set_defaults(run=_plot)


def load_sorting(path: str) -> BaseSorting:
    """Sorting of a result folder, or of whatever else SpikeInterface loads.

    Raises:
        FileNotFoundError, ValueError: nothing there, nothing that can be loaded, or a file that could have code run.
    """
    from ..recording.sources.reading import read_sorting
    from ..sorting.output.result import PROVENANCE_FILE, SortingResult

    if not Path(path).exists():
        raise FileNotFoundError(f"{path} does not exist; give a result folder or a sorting that SpikeInterface loads.")
    if (Path(path) / PROVENANCE_FILE).is_file():
        return SortingResult.load(path).sorting
    return read_sorting(path)


def _report(options: argparse.Namespace) -> None:
    from ..report.agreement import compare
    from ..report.page import REPORT_FILE, write_report
    from ..sorting.output.result import SortingResult

    if options.truth and options.compare:
        raise ValueError("Give --truth or --compare, not both.")
    result, agreement = SortingResult.load(options.result), None
    if options.truth or options.compare:
        names = ("the sorting", "the truth" if options.truth else Path(options.compare).name)
        other = load_sorting(options.truth or options.compare)
        agreement = compare(result.sorting, other, is_truth=bool(options.truth), names=names)
    path = options.output or options.result / REPORT_FILE
    print(f"report    {write_report(result, path, agreement=agreement, progress=not options.quiet)}")


def _compare(options: argparse.Namespace) -> None:
    from ..report.agreement import compare
    from ..report.page import write_comparison

    names = (Path(options.first).name, Path(options.second).name)
    # Results of two folders of one name are told apart.
    names = names if names[0] != names[1] else ("A", "B")
    agreement = compare(load_sorting(options.first), load_sorting(options.second), is_truth=options.truth, names=names)
    if len(agreement.units):
        print(agreement.units.to_string(index=False, max_rows=MAX_PRINTED_UNITS))
    print("\n".join(agreement.sentences()))
    if options.output:
        print(f"page      {write_comparison(agreement, options.output)}")


def _plot(options: argparse.Namespace) -> None:
    from ..report.plots import save_plot
    from ..sorting.output.result import SortingResult

    path = options.output or Path(f"unit_{options.unit}_{options.what}.png")
    print(f"picture   {save_plot(SortingResult.load(options.result), options.unit, options.what, path)}")

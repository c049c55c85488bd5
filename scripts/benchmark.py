"""Run our sorter and its peers on the same ground-truth recordings, and print how well, how fast and how large.

Prints all that the file of rows holds, from this run and earlier ones.

python scripts/benchmark.py --output results/benchmark.json
python scripts/benchmark.py --conditions tetrode_clear --hybrid-noise my_recording --output results/benchmark.json
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from huidurep_hf.evaluation.records.tables import put_table
from huidurep_hf.evaluation.sorters.benchmark import benchmark, benchmark_table, current_rows
from huidurep_hf.evaluation.sorters.benchmark_cases import condition_cases, hybrid_case
from huidurep_hf.evaluation.sorters.benchmark_lead import lead_table
from huidurep_hf.evaluation.sorters.benchmark_plots import draw_benchmark
from huidurep_hf.evaluation.sorters.peers import PEERS, SORTERS
from huidurep_hf.evaluation.sorters.sorting_process import OUR_SORTER
from huidurep_hf.recording.sources.reading import read_recording
from huidurep_hf.simulation.recordings.benchmark_conditions import BENCHMARK_CONDITIONS


def main() -> None:
    """Run, print the table, name the file; exit code 1 with one line for a mistake of the caller's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, help="JSON file of the rows; an existing one is continued")
    parser.add_argument("--model", default="huidurep/base", help="checkpoint of our sorter (default: %(default)s)")
    default = [OUR_SORTER, *PEERS]
    parser.add_argument("--sorters", nargs="+", default=default, metavar="SORTER", help=f"of {SORTERS}")
    parser.add_argument("--conditions", nargs="*", default=list(BENCHMARK_CONDITIONS), metavar="CONDITION")
    parser.add_argument("--recording-seeds", nargs="+", type=int, default=[100], metavar="SEED")
    parser.add_argument(
        "--hybrid-noise", metavar="RECORDING", help="also units added to this recording (a SpikeInterface folder, NWB)"
    )
    parser.add_argument("--plot", metavar="FOLDER", help="draw the rows there")
    parser.add_argument("--document", type=Path, metavar="FILE", help="put the tables between this file's table marks")
    parser.add_argument("--timeout", type=float, default=3600.0, metavar="S", help="for each sort")
    parser.add_argument("--quiet", action="store_true", help="no log and no progress bar")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR if options.quiet else logging.WARNING, format="%(message)s")
    try:
        cases = condition_cases(options.conditions, options.recording_seeds)
        if options.hybrid_noise:
            background = read_recording(options.hybrid_noise)
            cases += [hybrid_case(background, seed) for seed in options.recording_seeds]
        benchmark(
            cases,
            options.sorters,
            options.output,
            model=options.model,
            timeout_s=options.timeout,
            progress=not options.quiet,
        )
        rows = current_rows(options.output, options.model)
        table = f"{lead_table(rows)}\n\n{benchmark_table(rows)}"
        if options.plot:
            draw_benchmark(rows, options.plot)
        if options.document:
            put_table(table, options.document)
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"benchmark.py: {error}")
    print(table)
    print(f"\nRows: {options.output}")


if __name__ == "__main__":
    main()

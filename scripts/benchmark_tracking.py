"""Follow units across simulated sessions by ours and by peers, and print how well, how fast and how large.

Prints all that the file of rows holds, from this run and earlier ones. Seeds below 100 are for development: other cells
and other probes. Peers that are not installed are left out; UnitMatchPy 3.2.1 needs numpy below 2.4.

python scripts/benchmark_tracking.py --output model_cards/base/tracking.json
python scripts/benchmark_tracking.py --seeds 1 --methods huidurep --output results/tracking.json
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from huidurep_hf.evaluation.records.tables import put_tables
from huidurep_hf.evaluation.tracking.conditions import CONDITIONS, FIRST_REPORTING_SEED, SMOKE_CONDITION
from huidurep_hf.evaluation.tracking.methods.names import METHODS
from huidurep_hf.evaluation.tracking.tracking_benchmark import SORTED, SOURCES, TRUE, benchmark_tracking, rows_of_model
from huidurep_hf.evaluation.tracking.tracking_plots import draw_tracking
from huidurep_hf.evaluation.tracking.tracking_tables import (
    calibration_table,
    earlier_code_list,
    lead_table,
    tracking_table,
)


def main() -> None:
    """Run, print the tables, name the file; exit code 1 with one line for a mistake of the caller's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, help="JSON file of the rows; an existing one is continued")
    parser.add_argument("--model", default="huidurep/base", help="checkpoint of ours (default: %(default)s)")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), metavar="METHOD", help=f"of {METHODS}")
    parser.add_argument("--conditions", nargs="*", default=list(CONDITIONS), metavar="CONDITION")
    parser.add_argument("--sources", nargs="+", default=list(SOURCES), choices=SOURCES, help="where units come from")
    default_seeds = [FIRST_REPORTING_SEED, FIRST_REPORTING_SEED + 1]
    parser.add_argument("--seeds", nargs="+", type=int, default=default_seeds, metavar="SEED")
    parser.add_argument("--smoke", action="store_true", help="one small condition, seconds in all")
    parser.add_argument("--plot", metavar="FOLDER", help="draw the rows there")
    parser.add_argument("--document", type=Path, metavar="FILE", help="put the tables between this file's table marks")
    parser.add_argument("--timeout", type=float, default=900.0, metavar="S", help="for each method on each condition")
    parser.add_argument("--quiet", action="store_true", help="no log and no progress bar")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR if options.quiet else logging.WARNING, format="%(message)s")
    conditions = [SMOKE_CONDITION] if options.smoke else options.conditions
    cases = [
        (condition, seed, source)
        for condition in conditions
        for seed in (options.seeds[:1] if options.smoke else options.seeds)
        for source in options.sources
    ]
    try:
        benchmark_tracking(
            cases,
            options.methods,
            options.output,
            model=options.model,
            timeout_s=options.timeout,
            progress=not options.quiet,
        )
        rows, of_earlier_code = rows_of_model(options.output, options.model)
        tables = {
            "lead": lead_table(rows),
            "true": tracking_table(rows, TRUE),
            "sorted": tracking_table(rows, SORTED),
            "calibration": calibration_table(rows),
            "code": earlier_code_list(of_earlier_code),
        }
        if options.plot:
            draw_tracking(rows, options.plot)
        if options.document:
            put_tables(tables, options.document)
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"benchmark_tracking.py: {error}")
    print("\n\n".join(tables.values()))
    print(f"\nRows: {options.output}")


if __name__ == "__main__":
    main()

"""Measure how fast the sorter is and how much memory it takes, and print all that the file of rows holds.

python scripts/benchmark_speed.py --output results/speed.json
python scripts/benchmark_speed.py --works generated --sizes dense --output results/speed.json
python scripts/benchmark_speed.py --smoke --repeats 1 --output /tmp/smoke.json
"""

import argparse
import logging
import sys
from pathlib import Path

from huidurep_hf.evaluation.records.tables import put_tables
from huidurep_hf.evaluation.speed.generated_recordings import SIZES
from huidurep_hf.evaluation.speed.paper_estimate import PRICE_PER_CORE_HOUR
from huidurep_hf.evaluation.speed.speed_plots import draw_scaling
from huidurep_hf.evaluation.speed.speed_tables import speed_tables
from huidurep_hf.evaluation.speed.works import WORKS, SpeedSettings, measure_speed


def main() -> None:
    """Measure, print the tables, name the file; exit code 1 with one line for a mistake of the caller's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, help="JSON file of the rows; an existing one is continued")
    parser.add_argument("--works", nargs="*", default=WORKS, metavar="WORK", help=f"of {WORKS}; none to print alone")
    parser.add_argument("--condition", default=SpeedSettings.condition, help="of the benchmark (default: %(default)s)")
    parser.add_argument("--recording-seed", type=int, default=SpeedSettings.seed, metavar="SEED")
    parser.add_argument(
        "--sorters", nargs="+", metavar="SORTER", help="(default: ours and installed peers; ours alone)"
    )
    parser.add_argument("--sizes", nargs="+", default=SpeedSettings.sizes, metavar="SIZE", help=f"of {list(SIZES)}")
    parser.add_argument("--channels", type=int, help="in place of the size's")
    parser.add_argument("--units", type=int, help="in place of the size's")
    parser.add_argument("--minutes", type=float, help="in place of the size's")
    parser.add_argument("--lazy", action="store_true", help="generate traces when they are read, also if disk is free")
    parser.add_argument(
        "--repeats", type=int, default=SpeedSettings.repeats, help="counted runs (default: %(default)s)"
    )
    parser.add_argument("--model", default=SpeedSettings.model, help="checkpoint of our sorter (default: %(default)s)")
    parser.add_argument("--published", default=SpeedSettings.published, metavar="MODEL", help="the published encoder")
    parser.add_argument(
        "--folder", type=Path, help="for recordings and scratch files (default: where temporary ones go)"
    )
    parser.add_argument("--timeout", type=float, default=SpeedSettings.timeout_s, metavar="S", help="for each sort")
    parser.add_argument("--price-per-core-hour", type=float, default=PRICE_PER_CORE_HOUR, metavar="PRICE")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes: shows that all works, measures nothing")
    parser.add_argument("--plot", type=Path, metavar="FOLDER", help="draw memory there")
    parser.add_argument("--document", type=Path, metavar="FILE", help="put the tables between this file's table marks")
    parser.add_argument("--quiet", action="store_true", help="no log and no progress bar")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR if options.quiet else logging.WARNING, format="%(message)s")
    settings = SpeedSettings(
        works=tuple(options.works),
        condition=options.condition,
        seed=options.recording_seed,
        sorters=options.sorters and tuple(options.sorters),
        sizes=tuple(options.sizes),
        num_channels=options.channels,
        num_units=options.units,
        minutes=options.minutes,
        is_lazy=options.lazy,
        repeats=options.repeats,
        model=options.model,
        published=options.published,
        folder=options.folder,
        timeout_s=options.timeout,
        is_smoke=options.smoke,
    )
    try:
        content = measure_speed(settings, options.output, progress=not options.quiet)
        tables = speed_tables(content, options.price_per_core_hour)
        if options.plot:
            draw_scaling(content["rows"], options.plot)
        if options.document:
            put_tables(tables, options.document)
    except (ValueError, OSError) as error:
        sys.exit(f"benchmark_speed.py: {error}")
    print("\n\n".join(f"{name}\n\n{table}" for name, table in tables.items()))
    print(f"\nRows: {options.output}")


if __name__ == "__main__":
    main()

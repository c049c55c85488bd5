"""Run the sorter without each of its pieces on development recordings, and print what the piece is worth.

python scripts/ablate_sorter.py --output results/sorter_ablation.json --recording-seeds 910 911
"""

from __future__ import annotations

import argparse
import logging
import sys

from huidurep_hf.evaluation.sorters.sorter_ablation import ablate_sorter, sorter_ablation_table


def main() -> None:
    """Run, print the table, name the file; exit code 1 with one line for a mistake of the caller's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, help="JSON file of the rows; an existing one is continued")
    parser.add_argument("--model", default="huidurep/base", help="checkpoint (default: %(default)s)")
    parser.add_argument("--arms", nargs="+", metavar="ARM", help="some of the arms (default: all)")
    parser.add_argument("--conditions", nargs="+", metavar="CONDITION", help="(default: all)")
    parser.add_argument("--recording-seeds", nargs="+", type=int, default=[910], metavar="SEED")
    parser.add_argument("--quiet", action="store_true", help="no log and no progress bar")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR if options.quiet else logging.WARNING, format="%(message)s")
    try:
        content = ablate_sorter(
            options.model,
            options.output,
            seeds=options.recording_seeds,
            arms=options.arms,
            conditions=options.conditions,
            progress=not options.quiet,
        )
    except (ValueError, OSError) as error:
        sys.exit(f"ablate_sorter.py: {error}")
    print(sorter_ablation_table(content))
    print(f"\nRows: {options.output}")


if __name__ == "__main__":
    main()

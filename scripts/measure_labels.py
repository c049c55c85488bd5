"""Sort development recordings and print how often units of each label are neurons, and how often those of peers are.

python scripts/measure_labels.py --recording-seeds 902 903 --document docs/results.md
python scripts/measure_labels.py --conditions tetrode --peers
"""

import argparse
import logging
import sys
from pathlib import Path

from huidurep_hf import SpikeSorter
from huidurep_hf.evaluation.records.tables import put_table
from huidurep_hf.evaluation.sorters.labels import CONDITIONS, judge_sorters, label_table

PEERS = ("mountainsort5", "spykingcircus2", "tridesclous2", "lupin")


def main() -> None:
    """Sort, judge, print; exit code 1 with one line for a mistake of the caller's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="huidurep/base", help="checkpoint (default: %(default)s)")
    parser.add_argument("--conditions", nargs="+", default=CONDITIONS, metavar="CONDITION", help=f"of {CONDITIONS}")
    parser.add_argument("--recording-seeds", nargs="+", type=int, default=[902], metavar="SEED", help="900 and more")
    parser.add_argument("--peers", nargs="*", default=PEERS, metavar="SORTER", help="(default: %(default)s)")
    parser.add_argument("--document", type=Path, metavar="FILE", help="put the table between this file's table marks")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        sorter = SpikeSorter.from_pretrained(options.model)
        table = label_table(judge_sorters(sorter, options.peers, options.conditions, options.recording_seeds))
        if options.document:
            put_table(table, options.document, "labels")
    except (ValueError, OSError) as error:
        sys.exit(f"measure_labels.py: {error}")
    print(table)


if __name__ == "__main__":
    main()

"""Sort recordings with the faults of a rig and print what comes out.

python scripts/measure_faults.py --seeds 900 901 902 --document docs/faults.md
"""

import argparse
import json
import logging
import sys
from pathlib import Path

from tqdm import tqdm

from huidurep_hf import SpikeSorter
from huidurep_hf.evaluation.records.tables import put_table
from huidurep_hf.evaluation.sorters.faults import FAULTS, faults_table, measure_faults


def main() -> None:
    """Measure and print; exit code 1 with one line for a mistake of the caller's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[900, 901, 902], metavar="SEED")
    parser.add_argument("--model", default="huidurep/base", help="checkpoint (default: %(default)s)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="JSON file of the rows")
    parser.add_argument("--document", type=Path, metavar="FILE", help="put the table between this file's table marks")
    options = parser.parse_args()
    logging.getLogger("huidurep_hf").setLevel(logging.ERROR)
    try:
        sorter = SpikeSorter.from_pretrained(options.model)
        rows = list(tqdm(measure_faults(sorter, options.seeds), total=len(FAULTS) * len(options.seeds)))
        table = faults_table(rows)
        if options.output:
            options.output.write_text(json.dumps(rows, indent=1) + "\n")
        if options.document:
            put_table(table, options.document, "faults")
    except (ValueError, OSError) as error:
        sys.exit(f"measure_faults.py: {error}")
    print(table)


if __name__ == "__main__":
    main()

"""Sort development recordings and print how often units of each label are neurons.

python scripts/measure_labels.py --conditions tetrode silicon32 silicon32_noisy --recording-seeds 902 903
python scripts/measure_labels.py --saved dev/tetrode_902 dev/silicon32_903 --document docs/results.md
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
from spikeinterface.core import load

from huidurep_hf import SpikeSorter
from huidurep_hf.evaluation.records.tables import put_table
from huidurep_hf.evaluation.sorters.labels import judge_units, label_table
from huidurep_hf.simulation.recordings.recordings import SORTER_DEVELOPMENT_CONDITIONS, generate_recording


def main():
    """Sort, judge, print; exit code 1 with one line for a mistake of the caller's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="huidurep/base", help="checkpoint (default: %(default)s)")
    parser.add_argument("--conditions", nargs="*", default=[], metavar="CONDITION")
    parser.add_argument("--recording-seeds", nargs="+", type=int, default=[902], metavar="SEED", help="900 and more")
    parser.add_argument("--saved", nargs="*", default=[], metavar="FOLDER", help="with recording `rec` and its `truth`")
    parser.add_argument("--document", type=Path, metavar="FILE", help="put the table between this file's table marks")
    options = parser.parse_args()
    unknown = sorted(set(options.conditions) - set(SORTER_DEVELOPMENT_CONDITIONS))
    if unknown:
        sys.exit(f"measure_labels.py: unknown {unknown}; there are {sorted(SORTER_DEVELOPMENT_CONDITIONS)}.")
    sorter, judged = SpikeSorter.from_pretrained(options.model), []
    for name, recording, truth in _cases(options):
        one = judge_units(sorter.sort(recording, keep_noise=True), truth)
        print(f"{name}\n{label_table(one)}\n", flush=True)
        judged.append(one)
    if not judged:
        sys.exit("measure_labels.py: give --conditions or --saved.")
    table = label_table(pd.concat(judged))
    print(f"all\n{table}")
    if options.document:
        put_table(table, options.document, "labels")


def _cases(options):
    for folder in options.saved:
        yield Path(folder).name, load(Path(folder) / "rec"), load(Path(folder) / "truth")
    for condition in options.conditions:
        for seed in options.recording_seeds:
            made = generate_recording(replace(SORTER_DEVELOPMENT_CONDITIONS[condition], seed=seed))
            yield f"{condition} {seed}", made.recording, made.sorting


if __name__ == "__main__":
    main()

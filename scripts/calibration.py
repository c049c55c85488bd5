"""Sort ground-truth recordings and print how often spikes of each probability are right.

python scripts/calibration.py --conditions tetrode_clear silicon32_clear --recording-seeds 100
"""

from __future__ import annotations

import argparse
import dataclasses
import sys

import pandas as pd

from huidurep_hf import SpikeSorter
from huidurep_hf.evaluation.sorters.calibration import calibration_table, judge_spikes
from huidurep_hf.simulation.recordings.benchmark_conditions import BENCHMARK_CONDITIONS
from huidurep_hf.simulation.recordings.far_neurons import generate_condition


def main() -> None:
    """Sort, judge, print; exit code 1 with one line for a mistake of the caller's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="huidurep/base", help="checkpoint (default: %(default)s)")
    parser.add_argument("--conditions", nargs="+", default=["tetrode_clear", "silicon32_clear"], metavar="CONDITION")
    parser.add_argument("--recording-seeds", nargs="+", type=int, default=[100], metavar="SEED")
    options = parser.parse_args()
    unknown = sorted(set(options.conditions) - set(BENCHMARK_CONDITIONS))
    if unknown:
        sys.exit(f"calibration.py: unknown conditions {unknown}; there are {sorted(BENCHMARK_CONDITIONS)}.")
    sorter = SpikeSorter.from_pretrained(options.model)
    judged = []
    for condition in options.conditions:
        for seed in options.recording_seeds:
            truth = generate_condition(dataclasses.replace(BENCHMARK_CONDITIONS[condition], seed=seed))
            judged.append(judge_spikes(sorter.sort(truth.recording), truth.sorting))
    print(calibration_table(pd.concat(judged)))


if __name__ == "__main__":
    main()

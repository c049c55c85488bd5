"""Print which share of true spikes detection sees, and the sorter finds in the end, by the SNR of their units.

python scripts/detection_recall.py --conditions tetrode silicon32 silicon32_noisy --recording-seeds 100
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from huidurep_hf.evaluation.sorters.detected_share import detection_recall, detection_table, recall_of_rows
from huidurep_hf.simulation.recordings.benchmark_conditions import BENCHMARK_CONDITIONS
from huidurep_hf.simulation.recordings.far_neurons import generate_condition


def main() -> None:
    """Generate, detect, print; exit code 1 with one line for a mistake of the caller's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    at_rest = sorted(name for name, each in BENCHMARK_CONDITIONS.items() if each.drift_um is None)
    parser.add_argument("--conditions", nargs="+", default=at_rest, metavar="CONDITION", help="(default: %(default)s)")
    parser.add_argument("--recording-seeds", nargs="+", type=int, default=[100], metavar="SEED")
    parser.add_argument(
        "--benchmark",
        default="model_cards/base/benchmark.json",
        metavar="FILE",
        help="rows of scripts/benchmark.py, for what was found in the end (default: %(default)s)",
    )
    options = parser.parse_args()
    unknown = sorted(set(options.conditions) - set(at_rest))
    if unknown:
        sys.exit(f"detection_recall.py: unknown conditions {unknown}; at rest there are {at_rest}.")
    recordings = [(condition, seed) for condition in options.conditions for seed in options.recording_seeds]
    try:
        rows = json.loads(Path(options.benchmark).read_text())["rows"]
        found = [recall_of_rows(rows, *recording) for recording in recordings]
    except (ValueError, OSError) as error:
        sys.exit(f"detection_recall.py: {error}")
    units = []
    for (condition, seed), recall in zip(tqdm(recordings, desc="detect"), found):
        truth = generate_condition(dataclasses.replace(BENCHMARK_CONDITIONS[condition], seed=seed))
        units.append(detection_recall(truth).assign(sorted=recall))
    print(detection_table(pd.concat(units)))


if __name__ == "__main__":
    main()

"""Simulate sessions of training cells, fit the pair model of tracking on them, and print it.

python scripts/fit_tracking.py --folder runs/tracking --conditions silicon32_30um neuropixels2_100um --seeds 1 2

Fingerprints are kept in the folder, a file a session, and used again. Without conditions the model is fitted on what is
there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from huidurep_hf.sorting.output.fingerprint_table import UnitFingerprints
from huidurep_hf.tracking.fingerprint import unit_fingerprints
from huidurep_hf.tracking.fitting import calibration, describe_model, fit_pair_model, known_pairs, log_loss
from huidurep_hf.tracking.settings import TrackingSettings


def main() -> None:
    """Simulate, fit, print; exit code 1 with one line for a mistake of the caller's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="of the fingerprints: NAME-SEED_DAY.parquet")
    parser.add_argument("--conditions", nargs="*", default=[], metavar="CONDITION")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2], metavar="SEED")
    options = parser.parse_args()
    if any(seed >= 100 for seed in options.seeds):
        sys.exit("fit_tracking.py: seeds from 100 on are of held-out cells; give lower ones.")
    for condition in options.conditions:
        for seed in options.seeds:
            _simulate(condition, seed, options.folder)
    files: dict[str, list[Path]] = {}
    for path in sorted(options.folder.glob("*-*_*.parquet")):
        files.setdefault(path.stem.rpartition("_")[0], []).append(path)
    settings, known = TrackingSettings(), []
    for name, paths in files.items():
        if len(paths) > 1:
            known += known_pairs([UnitFingerprints.load(path) for path in paths], settings)
            print(f"{name}: {len(paths)} sessions")
    if not known:
        sys.exit(f"fit_tracking.py: no two sessions in {options.folder}; give --conditions.")
    model = fit_pair_model(known, settings)
    print(describe_model(model), f"# log loss {log_loss(model, known, settings):.2f}")
    print("  pairs  probability  true")
    for count, probability, share in calibration(model, known, settings):
        print(f"{count:7.0f}  {probability:11.3f}  {share:.3f}")


def _simulate(condition: str, seed: int, folder: Path) -> None:
    from huidurep_hf.evaluation.tracking.conditions import condition_settings
    from huidurep_hf.simulation.recordings.sessions import generate_sessions

    if (folder / f"{condition}-{seed}_1.parquet").is_file():
        return
    for day, session in enumerate(generate_sessions(condition_settings(condition, seed))):
        truth = session.truth
        table = unit_fingerprints(truth.recording, truth.sorting)
        table.renumbered(truth.sorting.get_property("neuron")).save(folder / f"{condition}-{seed}_{day}.parquet")


if __name__ == "__main__":
    main()

"""Adapt a checkpoint to ground-truth recordings, each by itself, and print what that brings there.

python scripts/evaluate_adaptation.py --output results/adaptation.json
python scripts/evaluate_adaptation.py --output results/adaptation_dev.json --development --recording-seeds 900
"""

import argparse
import logging
import sys

from datasets import disable_progress_bars as disable_bars_of_datasets
from transformers.utils.logging import disable_progress_bar as disable_bars_of_models

from huidurep_hf.adaptation import AdaptationParameters
from huidurep_hf.evaluation.representation.before_and_after import adaptation_table, around_table, evaluate_adaptation
from huidurep_hf.simulation.recordings.recordings import DEVELOPMENT_CONDITIONS, RECORDING_CONDITIONS


def main() -> None:
    """Evaluate, print the tables, name the file; exit code 1 with one line for a mistake of the caller's."""
    defaults = AdaptationParameters()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, help="JSON file of the rows; an existing one is continued")
    parser.add_argument("--model", default="huidurep/base", help="checkpoint (default: %(default)s)")
    parser.add_argument("--conditions", nargs="+", metavar="CONDITION", help="default: all")
    parser.add_argument("--recording-seeds", nargs="+", type=int, default=[100, 101, 102], metavar="SEED")
    parser.add_argument("--development", action="store_true", help="on development recordings, to choose by")
    parser.add_argument("--num-steps", type=int, default=defaults.num_steps, help="default: %(default)s")
    parser.add_argument("--learning-rate", type=float, default=defaults.learning_rate, help="default: %(default)s")
    parser.add_argument("--quiet", action="store_true", help="no log and no progress bar")
    options = parser.parse_args()
    if options.quiet:
        disable_bars_of_models()
        disable_bars_of_datasets()
    logging.basicConfig(level=logging.ERROR if options.quiet else logging.WARNING, format="%(message)s")
    known = DEVELOPMENT_CONDITIONS if options.development else RECORDING_CONDITIONS
    unknown = sorted(set(options.conditions or ()) - set(known))
    if unknown:
        sys.exit(f"evaluate_adaptation.py: unknown conditions {unknown}; there are {sorted(known)}.")
    conditions = {name: known[name] for name in options.conditions or known}
    parameters = AdaptationParameters(num_steps=options.num_steps, learning_rate=options.learning_rate)
    try:
        content = evaluate_adaptation(
            options.model,
            options.output,
            conditions,
            options.recording_seeds,
            parameters,
            progress=not options.quiet,
        )
    except (ValueError, OSError) as error:
        sys.exit(f"evaluate_adaptation.py: {error}")
    print(f"{adaptation_table(content['rows'])}\n\n{around_table(content['rows'])}\n\nRows: {options.output}")


if __name__ == "__main__":
    main()

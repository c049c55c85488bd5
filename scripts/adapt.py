"""Adapt a checkpoint to a recording, by a minute or two of training on the recording's own sorted spikes.

python scripts/adapt.py --recording recording.nwb --output runs/adapted
huidurep embed recording.nwb spikes.parquet --model runs/adapted/model
"""

import argparse
import logging
import sys

from datasets import disable_progress_bars as disable_bars_of_datasets
from transformers.utils.logging import disable_progress_bar as disable_bars_of_models

from huidurep_hf.adaptation import AdaptationParameters, adapt
from huidurep_hf.recording.sources.layout_flags import add_layout, open_recording
from huidurep_hf.recording.sources.reading import read_sorting


def main() -> None:
    """Adapt, name the folder; exit code 1 with one line for a mistake of the caller's."""
    defaults = AdaptationParameters()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recording", required=True, help="file or folder of a recording")
    parser.add_argument("--output", required=True, help="folder of the run to make; the checkpoint is in its model/")
    parser.add_argument("--model", default="huidurep/base", help="checkpoint to start from (default: %(default)s)")
    parser.add_argument("--sorting", help="saved sorting, or result of `huidurep sort`; without it, one is made")
    parser.add_argument("--num-steps", type=int, default=defaults.num_steps, help="default: %(default)s")
    parser.add_argument("--learning-rate", type=float, default=defaults.learning_rate, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--quiet", action="store_true", help="no log and no progress bars")
    add_layout(parser)
    options = parser.parse_args()
    if options.quiet:
        disable_bars_of_models()
        disable_bars_of_datasets()
    logging.basicConfig(level=logging.ERROR if options.quiet else logging.INFO, format="%(message)s")
    parameters = AdaptationParameters(
        num_steps=options.num_steps, learning_rate=options.learning_rate, seed=options.seed
    )
    try:
        recording = open_recording(options.recording, options)
        sorting = read_sorting(options.sorting) if options.sorting else None
        folder = adapt(options.model, recording, options.output, sorting, parameters, progress=not options.quiet)
    except (TypeError, ValueError, ImportError, OSError) as error:
        sys.exit(f"adapt.py: {error}")
    print(f"Adapted checkpoint: {folder}")


if __name__ == "__main__":
    main()

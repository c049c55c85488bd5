"""Sort the example recording step by step, and draw a picture of each stage for docs/how_it_works.md.

python scripts/draw_stages.py --output docs/images
"""

import argparse
import sys

from huidurep_hf.evaluation.sorters.stage_plots import draw_stages, go_through_stages
from huidurep_hf.simulation.recordings.examples import EXAMPLE_NAMES, example_recording
from huidurep_hf.sorting.encoder import SpikeEncoder
from huidurep_hf.sorting.parameters import SortingParameters
from huidurep_hf.sorting.sorter import SpikeSorter
from huidurep_hf.workers import Workers


def main() -> None:
    """Sort, draw, name the files; exit code 1 with one line for a mistake of the caller's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, metavar="FOLDER", help="for the pictures")
    parser.add_argument("--model", default="huidurep/base", help="checkpoint (default: %(default)s)")
    parser.add_argument("--example", default="silicon32", help=f"of {list(EXAMPLE_NAMES)} (default: %(default)s)")
    parser.add_argument("--duration", type=float, default=60.0, metavar="S", help="default: %(default)s")
    parser.add_argument("--recording-seed", type=int, default=0, metavar="SEED")
    options = parser.parse_args()
    try:
        truth = example_recording(options.example, options.duration, options.recording_seed)
        sorter = SpikeSorter.from_pretrained(options.model)
        encoder = SpikeEncoder(sorter.model, sorter.feature_extractor)
        stages = go_through_stages(truth, encoder, SortingParameters(), Workers())
        names = draw_stages(stages, options.output)
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"draw_stages.py: {error}")
    print("\n".join(names))


if __name__ == "__main__":
    main()

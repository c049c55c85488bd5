"""Cut noise from a recording for the views of pretraining.

python scripts/noise_from_recording.py --recording recording.nwb --output data/noise.npz
"""

import argparse
import logging
import sys

from huidurep_hf.recording.sources.layout_flags import add_layout, open_recording
from huidurep_hf.spike_dataset.noise_from_recording import NoiseParameters, noise_from_recording


def main() -> None:
    """Read the arguments and cut."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recording", required=True, help="file or folder of a recording")
    parser.add_argument("--output", required=True, help=".npz file to write")
    parser.add_argument("--num-snippets", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    add_layout(parser)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        recording = open_recording(options.recording, options)
        snippets = noise_from_recording(
            recording, NoiseParameters(num_snippets=options.num_snippets, seed=options.seed)
        )
    except (TypeError, ValueError, ImportError) as error:
        sys.exit(f"error: {error}")
    print(f"{len(snippets)} snippets of noise are in {snippets.save(options.output)}")


if __name__ == "__main__":
    main()

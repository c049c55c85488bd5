"""Make a spike dataset of a recording, of its peaks alone or of the spikes of a sorting.

python scripts/spikes_from_recording.py --recording recording.nwb --output data/mine
python scripts/spikes_from_recording.py --recording session --sorting sorting --output data/mine --push me/spikes
"""

import argparse
import logging
import sys
from pathlib import Path

from huggingface_hub.errors import HfHubHTTPError

from huidurep_hf.recording.sources.layout_flags import add_layout, open_recording
from huidurep_hf.recording.sources.reading import read_sorting
from huidurep_hf.spike_dataset.folder import check_dataset_folder
from huidurep_hf.spike_dataset.from_recording import RecordedSpikesParameters, spikes_from_recording
from huidurep_hf.spike_dataset.hub import push_dataset
from huidurep_hf.spike_dataset.recorded_card import RecordedCard
from huidurep_hf.spike_dataset.writing import write_spikes


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recording", required=True, help="file or folder of a recording")
    parser.add_argument("--output", required=True, help="dataset folder to make")
    parser.add_argument("--sorting", help="saved sorting, or result of `huidurep sort`; without it, peaks alone")
    parser.add_argument("--detect-threshold", type=float, default=5.0, help="of peaks, in noise SDs")
    parser.add_argument("--max-spikes", type=int, default=200_000, help="most rows, drawn at random")
    parser.add_argument("--name", help="of the recording, the dataset's group (default: the file's name)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--title", default="Recorded spikes", help="of the card")
    parser.add_argument("--license", default="unknown", help="as the hub knows it, such as cc-by-4.0")
    parser.add_argument("--source", default=RecordedCard.source, help="where the recording comes from, for the card")
    parser.add_argument("--push", metavar="REPO_ID", help="upload the folder to the hub, as a private dataset")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing folder")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    add_layout(parser)
    return parser.parse_args()


def main() -> None:
    """Make the dataset as the command line says."""
    options = parse_arguments()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parameters = RecordedSpikesParameters(
        detect_threshold=options.detect_threshold,
        max_spikes=options.max_spikes,
        name=options.name or Path(options.recording).stem,
        seed=options.seed,
    )
    card = RecordedCard(options.title, options.license, options.source, parameters)
    try:
        # Before the work, not after it.
        check_dataset_folder(options.output, options.overwrite)
        recording = open_recording(options.recording, options)
        sorting = read_sorting(options.sorting) if options.sorting else None
        spikes = spikes_from_recording(recording, sorting, parameters, progress=not options.quiet)
        if len(spikes) == 0:
            # `datasets` reads no split without rows.
            raise ValueError(
                f"No spike was found in {options.recording}; give a lower --detect-threshold (now "
                f"{options.detect_threshold:g}), or a sorting with spikes."
            )
        folder = write_spikes(spikes, options.output, card, overwrite=options.overwrite)
        print(f"{len(spikes)} spikes are in {folder}")
        if options.push:
            print(f"They are at {push_dataset(folder, options.push)}")
    except HfHubHTTPError as error:
        # Its first line says what was wrong; addresses and general advice follow.
        sys.exit(f"error: the hub did not take the dataset in {folder}: {str(error).splitlines()[0]}")
    except (TypeError, ValueError, ImportError, FileExistsError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()

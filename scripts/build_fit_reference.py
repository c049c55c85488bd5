"""Measure development recordings with a model, and store what the fit check compares others with.

The stored reference of huidurep/base is of the first 12 s of recordings that `generate_recording` made of the
conditions in `SORTER_DEVELOPMENT_CONDITIONS`: tetrode with seeds 900 to 903, silicon32 901 to 904, silicon32_noisy 930
to 932, polytrode64_drift 910 and 911, neuropixels64_drift 913 and 914, and of the two examples; no figures are reported
of any of them.

python scripts/build_fit_reference.py --recordings dev/tetrode_900 dev/tetrode_901 dev/silicon32_901
"""

from __future__ import annotations

import argparse

from huidurep_hf import SortingParameters, SpikeSorter
from huidurep_hf.recording.scan import scan
from huidurep_hf.recording.sources.reading import read_recording
from huidurep_hf.simulation.recordings.examples import EXAMPLE_NAMES, example_recording
from huidurep_hf.sorting.encoder import SpikeEncoder
from huidurep_hf.sorting.fit.check import describe, noise_windows
from huidurep_hf.sorting.fit.reference import FitReference
from huidurep_hf.sorting.output.provenance import hash_weights
from huidurep_hf.sorting.spikes import Spikes

# Another than that of `huidurep example`.
EXAMPLE_SEED = 950


def main() -> None:
    """Scan, embed, store; print the reference's file and each recording's distance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", nargs="+", required=True, metavar="RECORDING", help="as `huidurep sort` reads")
    parser.add_argument("--model", default="huidurep/base", help="checkpoint (default: %(default)s)")
    parser.add_argument("--duration", type=float, default=12.0, metavar="S", help="of each (default: %(default)s)")
    options = parser.parse_args()
    sorter, parameters = SpikeSorter.from_pretrained(options.model), SortingParameters()
    encoder = SpikeEncoder(sorter.model, sorter.feature_extractor)
    described = []
    examples = [example_recording(name, options.duration, EXAMPLE_SEED).recording for name in EXAMPLE_NAMES]
    recordings = [read_recording(path) for path in options.recordings] + examples
    for recording in recordings:
        num_samples = min(round(options.duration * recording.sampling_frequency), recording.get_num_samples(0))
        prepared, peaks = scan(recording.frame_slice(0, num_samples), parameters)
        peaks = Spikes.from_peaks(peaks)
        of_noise = encoder(prepared, noise_windows(prepared, peaks, parameters.fit, seed=0))["embedding"]
        embeddings = encoder(prepared, peaks)["embedding"]
        described.append(describe(embeddings, of_noise, prepared, len(peaks), parameters.fit))
    reference = FitReference.from_recordings(described)
    print(reference.save(hash_weights(sorter.model)))
    for path, one in zip([*options.recordings, *EXAMPLE_NAMES], described):
        print(f"{path}  distance {reference.distance(one):.2f}, noise {one.noise:.1f} uV, rate {one.rate_hz:.2f} Hz")


if __name__ == "__main__":
    main()

"""Measure development recordings with a model, and store what the fit check compares others with.

The stored reference of huidurep/base is of the first 30 s of recordings that `generate_recording` made of the
conditions in `SORTER_DEVELOPMENT_CONDITIONS`: tetrode with seeds 900 to 903, silicon32 901 to 904, silicon32_noisy 930
to 932, polytrode64_drift 910 and 911, neuropixels64_drift 913 and 914; no figures are reported
of any of them.

python scripts/build_fit_reference.py --recordings dev/tetrode_900 dev/tetrode_901 dev/silicon32_901
"""

import argparse

from huidurep_hf import SortingParameters, SpikeSorter
from huidurep_hf.recording.scan import scan
from huidurep_hf.recording.sources.reading import read_recording
from huidurep_hf.sorting.encoder import SpikeEncoder
from huidurep_hf.sorting.fit.check import describe
from huidurep_hf.sorting.fit.reference import FitReference
from huidurep_hf.sorting.output.provenance import hash_weights
from huidurep_hf.sorting.spikes import Spikes


def main():
    """Scan, embed, store; print the reference's file and each recording's distance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", nargs="+", required=True, metavar="RECORDING", help="as `huidurep sort` reads")
    parser.add_argument("--model", default="huidurep/base", help="checkpoint (default: %(default)s)")
    parser.add_argument("--duration", type=float, default=30.0, metavar="S", help="of each (default: %(default)s)")
    options = parser.parse_args()
    sorter, parameters = SpikeSorter.from_pretrained(options.model), SortingParameters()
    encoder = SpikeEncoder(sorter.model, sorter.feature_extractor)
    described = []
    for path in options.recordings:
        recording = read_recording(path)
        num_samples = min(round(options.duration * recording.sampling_frequency), recording.get_num_samples(0))
        prepared, peaks = scan(
            recording.frame_slice(0, num_samples), parameters.preprocessing, parameters.detection, seed=0
        )
        spikes = encoder(prepared, Spikes.from_peaks(peaks))
        described.append(describe(spikes["embedding"], prepared, len(peaks)))
    reference = FitReference.from_recordings(described)
    print(reference.save(hash_weights(sorter.model)))
    for path, one in zip(options.recordings, described):
        print(f"{path}  distance {reference.distance(one):.2f}, noise {one.noise:.1f} uV, rate {one.rate_hz:.2f} Hz")


if __name__ == "__main__":
    main()

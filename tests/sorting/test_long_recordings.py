import numpy as np
import pytest
from spikeinterface.core import (
    InjectTemplatesRecording,
    NumpySorting,
    generate_ground_truth_recording,
    generate_sorting,
)
from spikeinterface.core.generate import NoiseGeneratorRecording

from huidurep_hf import SpikeSorter, checkpoint_path
from huidurep_hf.evaluation.sorters.ground_truth import score_sorting

RATE = 30000.0
NEAR = {"margin_um": 10.0, "minimum_z": 5.0, "maximum_z": 25.0, "minimum_distance": 15}


@pytest.fixture(scope="module")
def base():
    return SpikeSorter.from_pretrained(checkpoint_path("huidurep/base"), device="cpu")


def record(sorting, seconds):
    return generate_ground_truth_recording(
        durations=[seconds],
        num_channels=8,
        sorting=sorting,
        sampling_frequency=RATE,
        noise_kwargs={"noise_levels": 7.0, "strategy": "on_the_fly"},
        generate_unit_locations_kwargs=NEAR,
        seed=3,
    )


@pytest.mark.slow
def test_units_that_fire_rarely_or_in_one_stretch_are_found_from_a_part(base):
    """A third of the peaks is learned from; unit 4 fires 0.4 times a second, unit 5 in 15 s of 240 alone."""
    seconds = 240.0
    sorting = generate_sorting(
        num_units=6, sampling_frequency=RATE, durations=[seconds], firing_rates=[5, 4, 6, 4, 0.4, 4], seed=1
    )
    spikes = sorting.to_spike_vector()
    in_stretch = (spikes["sample_index"] > 150 * RATE) & (spikes["sample_index"] < 165 * RATE)
    sorting = NumpySorting(spikes[(spikes["unit_index"] != 5) | in_stretch], RATE, sorting.unit_ids)
    recording, truth = record(sorting, seconds)
    num_spikes = len(truth.to_spike_vector())
    result = base.sort(recording, max_learned_peaks=num_spikes // 3, learned_peaks_per_channel=10)
    units, _ = score_sorting(result.sorting, truth)
    assert min(units["accuracy"]) > 0.8
    assert len(result.sorting.unit_ids) <= 8


@pytest.mark.slow
def test_units_whose_size_changes_slowly_stay_one(base):
    """The spikes of all units shrink to 0.7 of their size over the recording; unit by unit there is one unit."""
    seconds = 150.0
    sorting = generate_sorting(num_units=5, sampling_frequency=RATE, durations=[seconds], firing_rates=4.0, seed=2)
    recording, truth = record(sorting, seconds)
    shrinking = InjectTemplatesRecording(
        truth,
        recording.templates,
        nbefore=recording._kwargs["nbefore"],
        amplitude_factor=(1 - 0.3 * truth.to_spike_vector()["sample_index"] / (seconds * RATE)).astype("float32"),
        parent_recording=NoiseGeneratorRecording(8, RATE, [seconds], noise_levels=7.0, seed=1),
    )
    shrinking.set_probegroup(recording.get_probegroup())
    result = base.sort(shrinking)
    units, _ = score_sorting(result.sorting, truth)
    assert min(units["accuracy"]) > 0.75
    times = [result.sorting.get_unit_spike_train(unit, 0) for unit in result.sorting.unit_ids]
    halves = np.array([[np.sum(own < seconds * RATE / 2), np.sum(own >= seconds * RATE / 2)] for own in times])
    # A unit that was divided would fire in one half alone.
    assert (halves.min(axis=1) > 0.2 * halves.max(axis=1)).all()

import numpy as np
import pytest
from spikeinterface.core import NumpyRecording, NumpySorting

from huidurep_hf.evaluation.representation.true_spikes import true_spikes, waveforms_at


def test_waveforms_are_aligned_scaled_and_labelled(spikes):
    num_spikes = len(spikes.labels)
    assert spikes.waveforms.shape == (num_spikes, 121, 8) and spikes.peak_sample == 42
    assert np.bincount(spikes.labels).max() <= 80 and spikes.unit_snr.shape == (4,)
    # The peak channel comes first, at the origin; the trough is where it should be.
    assert (spikes.channel_positions[:, 0] == 0).all()
    search = spikes.waveforms[:, 42 - 5 : 42 + 6, 0]
    assert np.median(search.argmin(axis=1)) == 5
    # Before the spike there is noise of SD 1, and now and then another spike.
    assert 1.4826 * np.median(np.abs(spikes.waveforms[:, :5])) == pytest.approx(1.0, abs=0.3)


def test_the_same_spikes_in_whitened_traces(spikes):
    assert spikes.whitened.shape == (len(spikes.labels), 60, 8)
    # Prediction takes from each sample what was before it: a trough keeps its time.
    assert np.median(spikes.whitened[:, 21 - 5 : 21 + 6, 0].argmin(axis=1)) == pytest.approx(5, abs=1)
    before = spikes.whitened[:, :8]
    # Noise, and the beginning of the spikes, which is no part of the whitening; test_whitening judges noise alone.
    assert 0.5 < 1.4826 * np.median(np.abs(before)) < 1.6


@pytest.mark.slow
def test_peak_channel_is_read_from_the_data(generated):
    recording, sorting = generated
    late = NumpySorting.from_unit_dict(
        {unit: sorting.get_unit_spike_train(unit) + 5 for unit in sorting.unit_ids}, 30000.0
    )
    on_time = true_spikes(recording, sorting, np.ones(4), max_spikes_per_unit=40)
    five_late = true_spikes(recording, late, np.ones(4), max_spikes_per_unit=40)
    same = (on_time.peak_positions == five_late.peak_positions).all(axis=1).mean()
    assert same > 0.9  # a truth that is off by 0.17 ms does not matter


@pytest.mark.slow
def test_same_seed_same_spikes(generated, spikes):
    again = true_spikes(*generated, unit_snr=spikes.unit_snr, max_spikes_per_unit=80)
    assert (again.waveforms == spikes.waveforms).all() and (again.labels == spikes.labels).all()


@pytest.mark.slow
def test_the_same_recording_gives_the_same_waveforms_again(generated, spikes):
    recording, _ = generated
    assert (waveforms_at(recording, spikes) == spikes.waveforms).all()
    with pytest.raises(ValueError, match="4 usable channels"):
        waveforms_at(recording.select_channels(recording.channel_ids[:4]), spikes)


@pytest.mark.slow
def test_no_spikes_and_no_recording(generated):
    recording, _ = generated
    silent = NumpySorting.from_unit_dict({0: np.array([], dtype="int64")}, 30000.0)
    assert true_spikes(recording, silent, [1.0]).waveforms.shape == (0, 121, 8)
    too_short = NumpyRecording([np.zeros((5, 8), dtype="float32")], 30000.0)
    too_short.set_dummy_probe_from_locations(recording.get_channel_locations())
    with pytest.raises(ValueError, match="segments"):
        true_spikes(too_short, silent, [1.0])

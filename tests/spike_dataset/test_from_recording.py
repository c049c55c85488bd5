import numpy as np
import pytest
from spikeinterface.core import NumpyRecording, NumpySorting
from spikeinterface.preprocessing import resample

from huidurep_hf.evaluation.representation.true_spikes import true_spikes
from huidurep_hf.spike_dataset.from_recording import RecordedSpikesParameters, spikes_from_recording
from huidurep_hf.spike_dataset.geometry import SpikeGeometry, read_geometry, spike_features


def column(spikes, name, *shape):
    return np.array(spikes.with_format("numpy")[name][:]).reshape(len(spikes), *shape)


def test_a_sorting_gives_labelled_rows_that_stand_together(generated, labelled_spikes):
    _, sorting = generated
    assert read_geometry(labelled_spikes) == SpikeGeometry(121, 21, 30000.0, 42, unit="noise_sd", labelled=True)
    assert labelled_spikes.features == spike_features(SpikeGeometry(unit="noise_sd"))
    units = column(labelled_spikes, "unit_id")
    assert (np.diff(units) >= 0).all()
    assert np.bincount(units).tolist() == list(sorting.count_num_spikes_per_unit().values())
    assert set(labelled_spikes["cell_type"]) == {"recorded"} and len(set(labelled_spikes["group"])) == 1


@pytest.mark.slow
def test_waveforms_are_those_that_are_cut_for_evaluation(generated, labelled_spikes):
    """Two ways to the same true spikes: one resamples (here by one), orders by unit and stores half precision."""
    expected = true_spikes(*generated, unit_snr=np.ones(4), max_spikes_per_unit=10_000)
    order = np.argsort(expected.labels, kind="stable")
    waveforms = column(labelled_spikes, "waveform", 121, 21)
    np.testing.assert_allclose(waveforms[:, :, :8], expected.waveforms[order], rtol=2e-3, atol=2e-3)
    positions = column(labelled_spikes, "channel_positions", 21, 2)
    np.testing.assert_array_equal(positions[:, :8], expected.channel_positions[order])
    assert not waveforms[:, :, 8:].any() and not positions[:, 8:].any()
    assert (column(labelled_spikes, "channel_mask", 21).sum(axis=1) == 8).all()


def test_contacts_are_where_the_probe_has_them(generated, labelled_spikes):
    contacts = generated[0].get_channel_locations()
    peaks = column(labelled_spikes, "peak_position", 2)
    absolute = peaks[:, None] + column(labelled_spikes, "channel_positions", 21, 2)[:, :8]
    for seen in absolute[::50]:
        np.testing.assert_allclose(seen[np.lexsort(seen.T)], contacts[np.lexsort(contacts.T)], atol=1e-3)
    assert len(np.unique(peaks, axis=0)) > 3


def test_location_points_towards_the_neuron(generated, labelled_spikes):
    recording, _ = generated
    units, positions = column(labelled_spikes, "unit_id"), column(labelled_spikes, "channel_positions", 21, 2)
    locations, waveforms = column(labelled_spikes, "location", 2), column(labelled_spikes, "waveform", 121, 21)
    for unit in np.unique(units):
        mine = units == unit
        # All peaks of this unit on its commonest peak channel: their mean waveform has little noise.
        mine &= (positions == positions[mine][0]).all(axis=(1, 2))
        power = np.ptp(waveforms[mine].astype("float32").mean(axis=0)[12:73], axis=0) ** 2
        clean = (power[:, None] * positions[mine][0]).sum(axis=0) / power.sum()
        assert np.linalg.norm(np.median(locations[mine], axis=0) - clean) < 8


@pytest.mark.slow
def test_peaks_alone_are_units_of_their_own(generated):
    recording, _ = generated
    parameters = RecordedSpikesParameters(max_spikes=50, name="session 1")
    spikes = spikes_from_recording(recording, parameters=parameters, progress=False)
    assert read_geometry(spikes).labelled is False
    assert spikes["unit_id"][:] == list(range(50)) and set(spikes["group"]) == {"session 1"}
    waveforms = column(spikes, "waveform", 121, 21)
    assert (waveforms[:, 42, 0] < -4.9).all()
    again = spikes_from_recording(recording, parameters=parameters, progress=False)
    np.testing.assert_array_equal(waveforms, column(again, "waveform", 121, 21))


@pytest.mark.slow
@pytest.mark.parametrize("rate", [20000.0, 32000.0])
def test_another_rate_gives_the_same_spikes_at_30_khz(generated, labelled_spikes, rate):
    recording, sorting = generated
    times = {unit: np.round(sorting.get_unit_spike_train(unit) * rate / 30000).astype(int) for unit in sorting.unit_ids}
    resampled = resample(recording, int(rate)).save(format="memory", progress_bar=False, verbose=False)
    spikes = spikes_from_recording(resampled, NumpySorting.from_unit_dict(times, rate), progress=False)
    units, expected_units = column(spikes, "unit_id"), column(labelled_spikes, "unit_id")
    given, expected = (column(rows, "waveform", 121, 21).astype("float32") for rows in (spikes, labelled_spikes))
    for unit in range(4):
        mean, expected_mean = given[units == unit].mean(axis=0), expected[expected_units == unit].mean(axis=0)
        assert np.corrcoef(mean.ravel(), expected_mean.ravel())[0, 1] > 0.98
        assert abs(mean[:, 0].argmin() - 42) <= 1


def test_short_segments_are_left_out(generated):
    recording, sorting = generated
    traces = recording.get_traces()
    short_first = NumpyRecording([traces[:50], traces], 30000.0)
    short_first.set_probe(recording.get_probe())
    trains = [{unit: np.array([10]) for unit in sorting.unit_ids}]
    trains.append({unit: sorting.get_unit_spike_train(unit) for unit in sorting.unit_ids})
    spikes = spikes_from_recording(short_first, NumpySorting.from_unit_dict(trains, 30000.0), progress=False)
    assert len(spikes) == len(sorting.to_spike_vector())


def test_empty_in_empty_out(generated):
    recording, _ = generated
    no_spikes = NumpySorting.from_unit_dict({0: np.array([], dtype="int64")}, 30000.0)
    silent = NumpyRecording([np.zeros((3000, 8), dtype="float32")], 30000.0)
    silent.set_probe(recording.get_probe())
    for spikes in (
        spikes_from_recording(recording, no_spikes, progress=False),
        spikes_from_recording(silent, progress=False),
        spikes_from_recording(silent, NumpySorting.from_unit_dict({0: np.array([100])}, 30000.0), progress=False),
    ):
        assert len(spikes) == 0 and spikes.features == spike_features(SpikeGeometry(unit="noise_sd"))


def test_the_sorting_of_another_recording_is_refused(generated):
    recording, _ = generated
    with pytest.raises(ValueError, match="at 20000 Hz and the recording 1 at 30000 Hz"):
        spikes_from_recording(recording, NumpySorting.from_unit_dict({0: np.array([1])}, 20000.0))
    with pytest.raises(ValueError, match="1 spikes of the sorting lie beyond"):
        spikes_from_recording(recording, NumpySorting.from_unit_dict({0: np.array([300_000])}, 30000.0))

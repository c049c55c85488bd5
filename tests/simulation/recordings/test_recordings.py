from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from huidurep_hf.simulation.electrodes.probes import HELD_OUT_PROBES, contact_positions
from huidurep_hf.simulation.neurons.cells import HELD_OUT_CELLS
from huidurep_hf.simulation.recordings.recordings import (
    DEVELOPMENT_CONDITIONS,
    RECORDING_CONDITIONS,
    RecordingParameters,
    generate_recording,
    place_units,
)

QUICK = RecordingParameters("poly2_32", num_units=4, cells=("L5_NBC",), duration_s=10.0, seed=2)


def test_conditions_are_held_out():
    assert list(RECORDING_CONDITIONS) == ["tetrode", "silicon32", "silicon32_noisy", "polytrode64_drift"]
    for parameters in RECORDING_CONDITIONS.values():
        assert parameters.cells == HELD_OUT_CELLS
        assert parameters.probe in HELD_OUT_PROBES
        assert parameters.duration_s == 120
    plain, noisy = RECORDING_CONDITIONS["silicon32"], RECORDING_CONDITIONS["silicon32_noisy"]
    assert noisy.noise_level_uv == 2 * plain.noise_level_uv
    assert noisy.seed == plain.seed


def test_development_recordings_are_of_nothing_that_is_held_out():
    assert list(DEVELOPMENT_CONDITIONS) == list(RECORDING_CONDITIONS)
    for parameters in DEVELOPMENT_CONDITIONS.values():
        assert not set(parameters.cells) & set(HELD_OUT_CELLS)
        assert parameters.probe not in HELD_OUT_PROBES


@pytest.mark.slow
@pytest.mark.parametrize("sampling_rate", [10_000.0, 48_000.0])
def test_other_rates_record_the_same_units(cell, sampling_rate):
    # Many units near the limits of the SNR, where a rate could decide who is accepted.
    parameters = replace(QUICK, num_units=16, snr_range=(4.0, 6.0))
    usual, other = place_units(parameters), place_units(replace(parameters, sampling_rate=sampling_rate))
    assert other.units.equals(usual.units)
    num_samples = usual.waveforms.shape[2] * sampling_rate / 30_000
    assert other.waveforms.shape[2] == pytest.approx(num_samples, abs=2)
    depth, usual_depth = (templates.waveforms.min(axis=(0, 2, 3)) for templates in (other, usual))
    # Without a filter a slow recording cuts the sharpest part of a trough off.
    assert 0.6 < np.median(depth / usual_depth) < 1.2


@pytest.mark.slow
def test_a_recording(cell):
    from spikeinterface.preprocessing import bandpass_filter

    truth = generate_recording(QUICK)
    assert truth.recording.get_num_channels() == 32
    units = truth.units
    assert list(units["cell_type"]) == ["L5_NBC"] * 4
    assert ((units["snr"] >= 3) & (units["snr"] <= 20)).all()
    assert pdist(units[["x", "y"]]).min() > 1
    # The noise is what it was asked to be (median: spikes do not count) ...
    filtered = bandpass_filter(truth.recording, 300, 6000).get_traces()
    deviations = np.median(np.abs(filtered), axis=0) / 0.6745
    np.testing.assert_allclose(deviations, 9, rtol=0.05)
    # ... and so are the amplitudes of the units, at the sample that the sorting names.
    best = units["amplitude_uv"].idxmax()
    samples = truth.sorting.get_unit_spike_train(units["unit_id"][best])
    average = np.mean([filtered[sample - 20 : sample + 20] for sample in samples], axis=0)
    assert -average.min() == pytest.approx(units["amplitude_uv"][best], rel=0.15)
    assert abs(average.min(axis=1).argmin() - 20) <= 1


def test_same_seed_same_recording(cell):
    first, again, other = (generate_recording(replace(QUICK, duration_s=1.0, seed=seed)) for seed in (2, 2, 3))
    np.testing.assert_array_equal(first.recording.get_traces(), again.recording.get_traces())
    assert first.units.equals(again.units)
    assert not np.allclose(first.units["x"], other.units["x"])


def test_twice_the_noise_has_the_same_units(cell):
    plain = place_units(QUICK)
    noisy = place_units(replace(QUICK, noise_level_uv=18.0, snr_range=(1.5, 10.0)))
    np.testing.assert_array_equal(plain.waveforms, noisy.waveforms)


def test_templates_begin_and_end_in_silence(cell):
    templates = place_units(QUICK)
    assert templates.waveforms.shape == (1, 4, 210, 32)
    assert np.abs(templates.waveforms[:, :, [0, -1]]).max() < 0.01
    assert templates.peak_sample == 54


def test_drift_moves_the_amplitude_along_the_probe(cell):
    templates = place_units(replace(QUICK, probe="polytrode_64", drift_um=30.0))
    np.testing.assert_allclose(templates.displacements_um[[0, -1]], [-15, 15])
    assert np.diff(templates.displacements_um).max() <= 2.5
    y = contact_positions("polytrode_64")[:, 1]
    inner = templates.units["y"].abs() < 330
    assert inner.any()
    for unit in np.flatnonzero(inner):
        depth = np.ptp(templates.waveforms[:, unit], axis=1) ** 2
        centres = depth @ y / depth.sum(axis=1)
        assert centres[-1] - centres[0] == pytest.approx(30, abs=10)


def test_units_keep_their_distance(cell):
    units = place_units(replace(QUICK, num_units=12)).units
    assert len(units) == 12
    assert list(units.columns) == ["unit_id", "cell_type", "x", "y", "amplitude_uv"]


def test_no_place_left(cell, monkeypatch):
    monkeypatch.setattr("huidurep_hf.simulation.recordings.recordings.MAXIMAL_TRIES_PER_UNIT", 1)
    with pytest.raises(ValueError, match="units with an SNR of .* ask for fewer units"):
        place_units(replace(QUICK, snr_range=(500.0, 600.0)))

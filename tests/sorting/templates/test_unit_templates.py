import numpy as np
import pytest
from spikeinterface.core import NumpyRecording

from huidurep_hf.recording.motion.states import MotionStates
from huidurep_hf.sorting.spikes import Spikes
from huidurep_hf.sorting.templates.unit_templates import UnitTemplates


@pytest.fixture
def dense():
    """Two states, three units, ten channels; the last unit is out of sight in the second state."""
    rng = np.random.default_rng(0)
    waveforms = rng.normal(size=(2, 3, 30, 10)).astype("float32")
    for unit, channels in enumerate(([0, 1, 2], [4, 5], [7, 8, 9])):
        waveforms[:, unit][..., np.setdiff1d(np.arange(10), channels)] = 0
    waveforms[1, 1] = np.roll(waveforms[1, 1], 1, axis=1)
    waveforms[1, 2] = 0
    waveforms[0, 1, :, 5] *= 10
    waveforms[1, 1, :, 6] *= 10
    return waveforms


@pytest.fixture
def templates(dense):
    states = MotionStates(
        np.array([[0.0], [20.0]]), np.zeros(1), [np.array([0, 500])], [np.array([0, 1])], num_samples=[1000]
    )
    return UnitTemplates.from_dense(dense, 10, np.array([1, 5, 8]), states)


def test_local_channels_hold_the_whole(dense, templates):
    assert len(templates) == 3 and templates.num_samples == 30
    assert templates.local_waveforms.shape == (2, 3, 30, 3)
    for state in range(2):
        np.testing.assert_array_equal(templates.waveforms_of(state), dense[state])
    for unit in range(3):
        np.testing.assert_array_equal(templates.of_unit(unit), dense[:, unit])
    np.testing.assert_allclose(templates.norms, np.sqrt(np.square(dense).sum(axis=(2, 3))), rtol=1e-5)


def test_peak_channels_and_states_of_spikes(templates):
    assert templates.channels_in_place[:, 1].tolist() == [5, 6]
    assert (templates.channels_in_place >= 0).all()
    spikes = Spikes(segment_index=np.zeros(3, dtype="int64"), sample_index=np.array([0, 499, 500]))
    assert templates.states_of(spikes).tolist() == [0, 0, 1]


def test_some_units(dense, templates):
    for chosen in (np.array([2, 0]), np.array([True, False, True])):
        some = templates.chosen(chosen)
        np.testing.assert_array_equal(some.waveforms_of(0), dense[0][chosen])
        assert some.channels.tolist() == np.array([1, 5, 8])[chosen].tolist() and some.num_channels == 10


def test_at_rest_and_none(dense):
    recording = NumpyRecording([np.zeros((100, 10), dtype="float32")], 30000.0)
    templates = UnitTemplates.at_rest(dense[0], 10, recording)
    assert len(templates.states) == 1 and templates.channels[1] == 5
    np.testing.assert_array_equal(templates.waveforms_of(0), dense[0])
    none = UnitTemplates.at_rest(dense[0, :0], 10, recording)
    assert len(none) == 0 and none.waveforms_of(0).shape == (0, 30, 10) and none.norms.shape == (1, 0)

import numpy as np
from spikeinterface.core import NumpyRecording
from spikeinterface.core.motion import Motion

from huidurep_hf.recording.motion.states import MotionStates
from huidurep_hf.recording.settings import MotionStateSettings

RATE = 1000.0
SETTINGS = MotionStateSettings()


def recording_of(*seconds):
    return NumpyRecording([np.zeros((int(one * RATE), 2), dtype="float32") for one in seconds], RATE)


def motion_of(*displacements, depths=(0.0,)):
    """A bin for each second of each segment."""
    return Motion(
        [np.asarray(one, dtype="float64").reshape(-1, len(depths)) for one in displacements],
        [np.arange(len(one)) + 0.5 for one in displacements],
        np.array(depths),
    )


def test_tissue_at_rest_has_one_state():
    states = MotionStates.at_rest(recording_of(3.0, 2.0))
    assert len(states) == 1
    assert states.spans(0) == [(0, 0, 3000), (1, 0, 2000)]
    assert states.displacements_at(100.0).tolist() == [0.0]
    assert states.at(np.array([0, 1]), np.array([2999, 5])).tolist() == [0, 0]


def test_a_jump_and_back_again_makes_two_states():
    states = MotionStates.of_motion(motion_of([0, 0, 20, 20, 0], [20, 0]), recording_of(5.0, 2.0), SETTINGS)
    up = states.displacements_at(0.0).argmax()
    assert sorted(states.displacements_at(0.0)) == [0.0, 20.0]
    assert states.spans(up) == [(0, 2000, 4000), (1, 0, 1000)]
    assert states.spans(1 - up) == [(0, 0, 2000), (0, 4000, 5000), (1, 1000, 2000)]
    assert states.at(np.array([0, 0, 1]), np.array([1999, 2000, 999])).tolist() == [1 - up, up, up]
    # 3 s were spent up, 4 s down.
    samples = np.array([2000, 3500, 500, 1000, 4500, 1500])
    segments = np.array([0, 0, 1, 0, 0, 1])
    own, elapsed = states.elapsed_at(segments, samples)
    np.testing.assert_array_equal(own, states.at(segments, samples))
    np.testing.assert_allclose(elapsed, [0, 1.5 / 3, 2.5 / 3, 1 / 4, 2.5 / 4, 3.5 / 4])


def test_every_sample_is_in_one_span_and_near_its_state():
    rng = np.random.default_rng(0)
    drift = 25 * np.sin(np.arange(120) / 19) + rng.normal(0, 0.3, 120)
    two_depths = np.stack([drift, 0.6 * drift], axis=1)
    states = MotionStates.of_motion(motion_of(two_depths, depths=(0.0, 400.0)), recording_of(120.0), SETTINGS)
    assert 5 <= len(states) <= SETTINGS.max_motion_states
    spans = sorted(span for state in range(len(states)) for span in states.spans(state))
    assert [start for _, start, _ in spans] == [0, *(stop for _, _, stop in spans[:-1])]
    assert spans[-1][2] == 120_000
    middles = (1000 * np.arange(120) + 500).astype("int64")
    own = states.at(np.zeros(120, dtype="int64"), middles)
    for depth, truth in zip((0.0, 400.0), two_depths.T):
        assert np.std(states.displacements_at(depth)[own] - truth) <= SETTINGS.max_state_deviation_um
    # Between two depths the displacement is between theirs.
    np.testing.assert_allclose(
        states.displacements_at(200.0), 0.5 * (states.displacements_at(0.0) + states.displacements_at(400.0))
    )


def test_wild_motion_is_cut_into_so_many_states_and_no_more():
    states = MotionStates.of_motion(
        motion_of(np.random.default_rng(1).uniform(0, 400, 200)), recording_of(200.0), SETTINGS
    )
    assert len(states) == SETTINGS.max_motion_states

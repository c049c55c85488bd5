import numpy as np
import pytest
from probeinterface import ProbeGroup
from spikeinterface.core import NumpyRecording, append_recordings
from spikeinterface.core.base import base_peak_dtype
from spikeinterface.core.motion import Motion
from spikeinterface.preprocessing import get_spatial_interpolation_kernel
from spikeinterface.sortingcomponents.peak_localization import localize_peaks

from huidurep_hf.recording.motion.estimation import estimate_motion
from huidurep_hf.recording.motion.following import agreement_of_parts, can_follow_motion, check_motion, follow_motion
from huidurep_hf.recording.motion.interpolation import KERNEL, InterpolatedShanksRecording
from huidurep_hf.recording.parameters import PreparationParameters
from huidurep_hf.recording.scan import prepare
from huidurep_hf.recording.settings import MotionEstimationSettings, MotionSettings
from huidurep_hf.recording.spikes.detection import detect

from ...drifting import drifting_recording

RATE = 3000.0
AUTO = PreparationParameters(motion="auto")
SIGMA_UM = AUTO.motion_correction.interpolation_sigma_um
NOTHING = np.zeros(0, dtype=base_peak_dtype), np.zeros((0, 2))


def noise(num_channels=32, seconds=2.0, groups=None, pitch_um=20.0, num_probes=1):
    traces = np.random.default_rng(0).normal(size=(int(RATE * seconds), num_channels)).astype("float32")
    recording = NumpyRecording([traces], sampling_frequency=RATE)
    recording.set_dummy_probe_from_locations(
        np.stack([np.zeros(num_channels), pitch_um * np.arange(num_channels)], axis=1)
    )
    if num_probes > 1:
        probes = ProbeGroup()
        for first in np.split(np.arange(num_channels), num_probes):
            probe = recording.get_probe().get_slice(first)
            probe.set_device_channel_indices(first)
            probes.add_probe(probe)
        recording = recording.select_channels(recording.channel_ids)
        recording.set_probegroup(probes)
    if groups is not None:
        recording.set_property("group", np.asarray(groups))
    return prepare(recording)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kwargs", "switch", "reason"),
    [
        ({}, "off", "switched off"),
        ({"num_channels": 4}, "auto", "4 channels are fewer than 24"),
        ({"groups": [0] * 16 + [1] * 16}, "auto", "16 channels of a shank are fewer than 24"),
        ({"num_probes": 2}, "auto", "several probes"),
        ({"pitch_um": 5.0}, "auto", "span 155 um"),
        ({}, "auto", "2 s are too short"),
        ({"seconds": 21.0}, "auto", "0 spikes in 21 s are too few"),
    ],
)
def test_the_reason_not_to_follow_is_reported(kwargs, switch, reason):
    prepared = noise(**kwargs)
    given = follow_motion(prepared, *NOTHING, PreparationParameters(motion=switch))
    assert given.recording is prepared.recording
    assert reason in given.steps[-1]


def test_what_cannot_be_followed_is_refused_when_asked_for():
    with pytest.raises(ValueError, match="4 channels are fewer than 24.*motion='auto'"):
        check_motion(noise(num_channels=4), MotionSettings(motion="on"))


def test_what_can_be_followed_is_known_before_there_are_spikes():
    long = noise(seconds=21.0)
    assert can_follow_motion(long, AUTO.motion_correction)
    assert not can_follow_motion(long, MotionSettings(motion="off"))
    assert not can_follow_motion(noise(seconds=2.0), AUTO.motion_correction)
    assert not can_follow_motion(noise(num_channels=4), MotionSettings(motion="on"))


@pytest.mark.slow
def test_segments_are_followed_as_one_recording_is():
    recording, _ = drifting_recording()
    # The last is shorter than a bin of the motion.
    edges = np.array([0.0, 12.0, 30.0, 39.5, 40.0]) * 30000
    pieces = [recording.frame_slice(int(start), int(stop)) for start, stop in zip(edges[:-1], edges[1:])]
    prepared = prepare(append_recordings(pieces))
    peaks = detect(prepared)
    followed = follow_motion(prepared, peaks, localized(prepared, peaks), AUTO)
    assert "followed (DREDge)" in followed.steps[-1]
    assert followed.recording.get_num_segments() == 4
    whole = prepare(recording)
    peaks_of_whole = detect(whole)
    reference = estimate_motion(whole, peaks_of_whole, localized(whole, peaks_of_whole), MotionEstimationSettings())
    found = np.concatenate(followed.motion.displacement)[:, 0]
    # Slices keep the times of the whole.
    times = np.concatenate(followed.motion.temporal_bins_s)
    expected = reference.get_displacement_at_time_and_depth(times, np.full(len(times), 300.0))
    assert np.ptp(expected) > 12
    np.testing.assert_allclose(found - found.mean(), expected - expected.mean(), atol=3.0)


@pytest.mark.slow
def test_bins_are_of_a_bounded_number_and_of_no_pause():
    recording, _ = drifting_recording()
    times = np.arange(recording.get_num_samples()) / 30000
    # The clock went on for twelve hours in the middle.
    times[len(times) // 2 :] += 12 * 3600
    recording.set_times(times)
    prepared = prepare(recording)
    peaks = detect(prepared)
    places = localized(prepared, peaks)
    motion = estimate_motion(prepared, peaks, places, MotionEstimationSettings())
    assert motion.displacement[0].shape[0] == 40
    assert motion.temporal_bins_s[0][0] < 1 and 12 * 3600 + 38 < motion.temporal_bins_s[0][-1] < 12 * 3600 + 40
    assert np.ptp(motion.displacement[0]) > 12
    few = estimate_motion(prepared, peaks, places, MotionEstimationSettings(max_motion_bins=10))
    assert few.displacement[0].shape[0] == 10


@pytest.mark.slow
def test_a_drifting_probe_is_followed():
    prepared = prepare(drifting_recording()[0])
    peaks = detect(prepared)
    places = localized(prepared, peaks)
    followed = follow_motion(prepared, peaks, places, AUTO)
    assert "followed (DREDge)" in followed.steps[-1]
    assert followed.recording.get_num_samples() == prepared.recording.get_num_samples()
    # The neuron's largest channel at the beginning and at the end: 40 um apart as recorded, which neurons of many sizes
    # blur, and at one place after.
    moved_by = {
        name: largest_depth(given, -1) - largest_depth(given, 0)
        for name, given in (("recorded", prepared), ("followed", followed))
    }
    assert abs(moved_by["recorded"]) >= 20
    assert moved_by["followed"] == 0
    # Contacts are 20 um apart, so the tissue comes between them on its way; its noise shall not tell.
    uneven = follow_motion(prepared, peaks, places, PreparationParameters(equalise_noise="off"))
    assert spread_of_noise(uneven) > 0.03
    assert spread_of_noise(followed) < 0.4 * spread_of_noise(uneven)


def two_shanks(second_is_higher_by_um=0.0, seconds=4.0):
    """Noise before two shanks whose channels come in turn, at the same nominal places or one higher than the other."""
    positions = np.repeat(np.stack([np.zeros(32), 20.0 * np.arange(32)], axis=1), 2, axis=0)
    # The probe takes no two contacts at one place.
    positions[1::2] += [0.001, second_is_higher_by_um]
    traces = np.random.default_rng(0).normal(size=(int(3000 * seconds), 64)).astype("float32")
    recording = NumpyRecording([traces], sampling_frequency=3000.0)
    recording.set_dummy_probe_from_locations(positions)
    recording.set_channel_groups(np.tile([0, 1], 32))
    return recording


@pytest.mark.parametrize("second_is_higher_by_um", [0.0, 100.0])
def test_shanks_are_corrected_each_by_itself(second_is_higher_by_um):
    recording = two_shanks(second_is_higher_by_um)
    groups = recording.get_channel_groups()
    motion = Motion([np.linspace(0, 30, 4)[:, None]], [np.arange(4) + 0.5], np.array([300.0]))
    corrected = InterpolatedShanksRecording(recording, motion, groups, SIGMA_UM)
    assert list(corrected.channel_ids) == list(recording.channel_ids)
    for shank in (0, 1):
        own = recording.channel_ids[groups == shank]
        alone = InterpolatedShanksRecording(recording.select_channels(own), motion, np.zeros(32, dtype=int), SIGMA_UM)
        # Some processors add up a product of matrices in another order where its shape is another.
        np.testing.assert_allclose(corrected.get_traces(channel_ids=own), alone.get_traces(), rtol=0, atol=4e-6)
    assert not np.allclose(corrected.get_traces(), recording.get_traces(), atol=0.5)


def test_traces_are_corrected_by_the_displacement_of_their_bin_in_each_segment():
    parts = [two_shanks(seconds=4.0), two_shanks(seconds=2.0)]
    recording = append_recordings([part.select_channels(part.channel_ids[::2]) for part in parts])
    recording.shift_times(100.0)
    displacements, num_seconds = ([0.0, 7.0, 14.0, -21.0], [3.0, 18.0]), (4, 2)
    motion = Motion(
        [np.array(one)[:, None] for one in displacements],
        [100.0 + np.arange(num) + 0.5 for num in num_seconds],
        np.array([300.0]),
    )
    corrected = InterpolatedShanksRecording(recording, motion, np.zeros(32, dtype=int), SIGMA_UM)
    locations = recording.get_channel_locations()
    for segment, of_bins in enumerate(displacements):
        for second, displacement in enumerate(of_bins):
            inside = {"segment_index": segment, "start_frame": 3000 * second, "end_frame": 3000 * (second + 1)}
            kernel = get_spatial_interpolation_kernel(
                locations, locations + [0.0, displacement], sigma_um=SIGMA_UM, **KERNEL
            )
            expected = recording.get_traces(**inside) @ kernel
            np.testing.assert_allclose(corrected.get_traces(**inside), expected, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("second_moves_by", "is_hash", "follows"),
    [(1.0, False, True), (0.0, False, False), (0.3, False, False), (2.0, False, False), (0.0, True, True)],
)
def test_shanks_are_followed_where_none_moves_otherwise(second_moves_by, is_hash, follows):
    rng, seconds, num_spikes = np.random.default_rng(1), 60, 3000
    prepared = prepare(two_shanks(seconds=seconds), PreparationParameters(freq_max_hz=1300.0))
    peaks = np.zeros(num_spikes, dtype=base_peak_dtype)
    peaks["sample_index"] = np.sort(rng.integers(0, 3000 * seconds, num_spikes))
    neurons = rng.integers(0, 20, num_spikes)
    # The second shank has fewer spikes, so that all together show the motion of the first.
    shanks = np.where(neurons < 14, 0, 1)
    sizes = rng.uniform(10, 30, 20)[neurons]
    depths = rng.uniform(50, 570, 20)[neurons] + rng.normal(0, 2, num_spikes)
    if is_hash:
        # The second shank has no neuron, and what is found there lies at its contacts.
        sizes = np.where(shanks == 1, rng.uniform(4.5, 6.0, num_spikes), sizes)
        depths = np.where(shanks == 1, 20.0 * rng.integers(0, 32, num_spikes), depths)
    peaks["channel_index"] = shanks
    peaks["amplitude"] = -sizes * prepared.noise_levels[shanks]
    drift = 20 * np.sin(2 * np.pi * peaks["sample_index"] / (3000 * seconds))
    depths += np.array([1.0, second_moves_by])[shanks] * drift
    followed = follow_motion(prepared, peaks, np.stack([0 * depths, depths], axis=1), AUTO)
    if follows:
        assert "followed (DREDge)" in followed.steps[-1]
        np.testing.assert_array_equal(followed.shanks, np.tile([0, 1], 32))
    else:
        assert "moves otherwise than all shanks together" in followed.steps[-1]
        assert followed.recording is prepared.recording


@pytest.mark.slow
def test_few_spikes_whose_places_lean_towards_contacts_show_no_jumps():
    """Thirty spikes a second, and tissue that moves by 50 µm; places lean towards contacts that are 20 µm apart."""
    rng, rate_hz, seconds, num_neurons = np.random.default_rng(4), 1000.0, 120, 15
    traces = rng.normal(size=(int(rate_hz * seconds), 32)).astype("float32")
    recording = NumpyRecording([traces], sampling_frequency=rate_hz)
    recording.set_dummy_probe_from_locations(np.stack([np.zeros(32), 20.0 * np.arange(32)], axis=1))
    num_spikes = 30 * seconds
    peaks = np.zeros(num_spikes, dtype=base_peak_dtype)
    peaks["sample_index"] = np.sort(rng.integers(0, len(traces), num_spikes))
    neurons = rng.integers(0, num_neurons, num_spikes)
    sizes = 10 ** rng.uniform(0.7, 1.5, num_neurons)
    peaks["amplitude"] = -sizes[neurons] * rng.normal(1.0, 0.1, num_spikes)

    def displacement(times_s):
        return 25.0 * np.sin(2 * np.pi * times_s / seconds)

    depths = rng.uniform(0, 620, num_neurons)[neurons] + displacement(peaks["sample_index"] / rate_hz)
    places = depths - 6.0 * np.sin(2 * np.pi * depths / 20.0) + rng.normal(0.0, 10.0, num_spikes)
    motion = estimate_motion(
        prepare(recording), peaks, np.stack([0 * places, places], axis=1), MotionEstimationSettings()
    )
    errors = motion.displacement[0][:, 0] - displacement(motion.temporal_bins_s[0])
    assert np.abs(errors - np.median(errors)).max() < 8.0


@pytest.mark.slow
def test_spikes_that_tell_of_no_motion_move_nothing():
    """DREDge finds a motion of tens of µm in spikes anywhere at any time; another half of them says another thing."""
    prepared, rng = noise(seconds=40.0), np.random.default_rng(1)
    peaks = np.zeros(300, dtype=base_peak_dtype)
    peaks["sample_index"] = np.sort(rng.integers(0, 40 * RATE, 300))
    peaks["amplitude"] = -rng.uniform(5, 30, 300)
    locations = np.stack([np.zeros(300), rng.uniform(0, 620, 300)], axis=1)
    given = follow_motion(prepared, peaks, locations, AUTO)
    assert "two halves of the spikes show different ones" in given.steps[-1]
    assert given.recording is prepared.recording and given.motion is None
    assert follow_motion(prepared, peaks, locations, PreparationParameters(motion="on")).motion is not None


def test_agreement_of_parts():
    times, depths = np.arange(50.0), np.array([0.0, 500.0])
    wave = 20 * np.sin(times / 8)[:, None] + np.array([0.0, 3.0])

    def agreement(first, second):
        return agreement_of_parts(*(Motion([displacement], [times], depths) for displacement in (first, second)))

    assert agreement(wave, wave + np.array([7.0, -7.0])) == pytest.approx(1.0)
    assert agreement(wave, -wave) == pytest.approx(-1.0)
    assert agreement(wave, 0 * wave) == 0.0
    noise = np.random.default_rng(0).normal(scale=10.0, size=wave.shape)
    assert 0.7 < agreement(wave, wave + noise) < 0.95
    assert abs(agreement(wave, noise)) < 0.3


def localized(prepared, peaks):
    """Centre of mass of each peak, `(num_peaks, 2)` um."""
    locations = localize_peaks(
        prepared.recording, peaks, method="center_of_mass", job_kwargs={"n_jobs": 1, "progress_bar": False}
    )
    return np.stack([locations["x"], locations["y"]], axis=1)


def spread_of_noise(prepared):
    """SD over time of the noise's SD, as a share of its mean; of all but the outermost contacts, which extrapolate."""
    traces = prepared.recording.get_traces()[:, 4:28]
    seconds = traces[: len(traces) // 30000 * 30000].reshape(-1, 30000, traces.shape[1])
    deviations = np.median(np.abs(seconds), axis=1).mean(axis=1)
    return deviations.std() / deviations.mean()


def largest_depth(prepared, end):
    """Depth of the channel with the deepest troughs in the first or last 4 s."""
    num_samples = prepared.recording.get_num_samples()
    start = 0 if end == 0 else num_samples - 120000
    traces = prepared.recording.get_traces(start_frame=start, end_frame=start + 120000)
    return prepared.positions[np.percentile(traces, 0.05, axis=0).argmin(), 1]

import numpy as np
import pytest
from probeinterface import Probe, ProbeGroup, generate_multi_columns_probe, generate_tetrode, write_probeinterface
from spikeinterface.core import NumpyRecording

from huidurep_hf.recording.scan import prepare
from huidurep_hf.recording.sources.given import as_recording
from huidurep_hf.recording.sources.probe import set_named_probe, with_probe


def test_probes_by_name(make_recording):
    tetrode = set_named_probe(make_recording(probe=False), "tetrode")
    assert tetrode.get_channel_locations().tolist() == [[0, 0], [25, 0], [0, 25], [25, 25]]
    linear = set_named_probe(make_recording(probe=False), "linear:4:50")
    assert linear.get_channel_locations()[:, 1].tolist() == [0, 50, 100, 150]


def test_probe_from_a_file(make_recording, tmp_path):
    probe = generate_tetrode()
    write_probeinterface(tmp_path / "probe.json", probe)
    recording = set_named_probe(make_recording(probe=False), str(tmp_path / "probe.json"))
    np.testing.assert_allclose(recording.get_channel_locations(), probe.contact_positions)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("octrode", "Unknown probe 'octrode'; known: tetrode"),
        ("linear:4:x", "Unknown probe"),
        ("linear:8:20", "8 contacts but the recording has 4 channels"),
        ("absent.json", "does not exist"),
    ],
)
def test_wrong_probes_are_refused(make_recording, name, message):
    with pytest.raises(ValueError, match=message):
        set_named_probe(make_recording(probe=False), name)


def test_file_that_is_no_probe_is_refused(make_recording, tmp_path):
    (tmp_path / "probe.json").write_text('{"a": 1}')
    with pytest.raises(ValueError, match="not a probeinterface JSON"):
        set_named_probe(make_recording(probe=False), str(tmp_path / "probe.json"))


def test_contacts_without_a_position_are_named():
    recording = NumpyRecording([np.zeros((100, 3))], 30000.0, channel_ids=["a", "b", "c"])
    recording.set_dummy_probe_from_locations(np.array([[0.0, 0.0], [np.nan, 20.0], [0.0, 40.0]]))
    with pytest.raises(ValueError, match="no position to the channels b .*in µm"):
        with_probe(recording)


def probe_at(positions, si_units="um", wiring=None):
    """Probe with contacts at `(num_contacts, 2 or 3)`, wired in their order if it is not said otherwise."""
    positions = np.asarray(positions, dtype=float)
    num_contacts, ndim = positions.shape
    probe = Probe(ndim=ndim, si_units=si_units)
    plane_axes = np.tile(np.eye(ndim)[:2], (num_contacts, 1, 1))
    probe.set_contacts(positions, shape_params={"radius": 1}, plane_axes=plane_axes)
    probe.set_device_channel_indices(np.arange(num_contacts) if wiring is None else wiring)
    return probe


def distances(positions):
    return np.linalg.norm(positions[:, None] - positions[None], axis=2)


GRID = np.array([[column * 40.0, row * 25.0] for row in range(8) for column in range(2)])
FLAT = np.insert(GRID, 2, 7.0, axis=1)
# A rotation about no axis of the coordinates.
TILTED = FLAT @ np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "positions",
    [
        FLAT,
        FLAT[:, [0, 2, 1]],
        FLAT[:, [2, 0, 1]],
        TILTED,
        FLAT[::2][:, [2, 2, 1]],
        FLAT[::2][:, [1, 2, 2]],
        np.arange(16)[:, None] * np.array([[10.0, 20.0, -5.0]]),
    ],
    ids=["x-y", "x-z", "y-z", "tilted", "along z", "along x", "oblique line"],
)
def test_positions_of_a_3d_probe_keep_their_distances(positions, caplog):
    rng = np.random.default_rng(0)
    recording = NumpyRecording([rng.normal(0, 10, (20000, len(positions))).astype("float32")], 30000.0)
    recording.set_probe(probe_at(positions))
    used = prepare(recording).positions
    assert used.shape == (len(positions), 2)
    np.testing.assert_allclose(distances(used), distances(positions), atol=0.01)
    assert recording.has_3d_probe() and "share their place" not in caplog.text


def test_depth_of_a_3d_probe_is_the_second_coordinate():
    for order in ([0, 1, 2], [0, 2, 1], [2, 0, 1]):
        recording = NumpyRecording([np.zeros((100, 16))], 30000.0)
        recording.set_probe(probe_at(FLAT[:, order]))
        np.testing.assert_allclose(with_probe(recording).get_channel_locations(), GRID)


def test_contacts_in_no_plane_are_refused():
    cube = np.array([[x, y, z] for x in (0, 50) for y in (0, 50) for z in (0, 50)])
    recording = NumpyRecording([np.zeros((100, 8))], 30000.0)
    recording.set_probe(probe_at(cube))
    with pytest.raises(ValueError, match="µm off any one plane.*to_2d"):
        with_probe(recording)


def test_groups_and_probes_stay_when_positions_are_converted():
    group = ProbeGroup()
    # Channels of two probes in turns, one of them in mm.
    group.add_probe(probe_at(GRID[:4], wiring=[0, 2, 4, 6]))
    group.add_probe(probe_at((GRID[4:8] + [1000, 0]) / 1000, "mm", wiring=[7, 5, 3, 1]))
    recording = NumpyRecording([np.zeros((100, 8))], 30000.0)
    recording.set_probegroup(group, check_overlap=False)
    recording.set_channel_groups(list("abcdabcd"))
    converted = with_probe(recording)
    expected = np.empty((8, 2))
    expected[[0, 2, 4, 6]], expected[[7, 5, 3, 1]] = GRID[:4], GRID[4:8] + [1000, 0]
    np.testing.assert_allclose(converted.get_channel_locations(), expected)
    assert list(converted.get_channel_groups()) == list("abcdabcd") and len(converted.get_probes()) == 2
    assert recording.get_probegroup().probes[1].si_units == "mm"


@pytest.mark.slow
@pytest.mark.parametrize(("si_units", "um"), [("um", 1.0), ("mm", 1e3), ("m", 1e6)])
def test_probe_files_in_any_unit(tmp_path, si_units, um):
    recording = NumpyRecording([np.random.default_rng(0).normal(0, 10, (20000, 16)).astype("float32")], 30000.0)
    write_probeinterface(tmp_path / "probe.json", probe_at(GRID / um, si_units))
    read = set_named_probe(recording, tmp_path / "probe.json")
    np.testing.assert_allclose(read.get_channel_locations(), GRID, atol=1e-3)
    recording.set_probe(probe_at(GRID / um, si_units))
    np.testing.assert_allclose(prepare(recording).positions, GRID, atol=1e-3)


def test_contacts_closer_than_on_any_probe_are_refused():
    recording = NumpyRecording([np.zeros((100, 16))], 30000.0)
    recording.set_probe(probe_at(GRID / 1000))
    with pytest.raises(ValueError, match='0.025 µm apart.*si_units="mm"'):
        with_probe(recording)


def recording_of_counts(num_channels):
    """Channel i holds the number i."""
    return NumpyRecording([np.tile(np.arange(num_channels, dtype="int16"), (100, 1))], 30000.0)


def test_unwired_contacts_and_channels_without_contact_are_left_out(tmp_path, caplog):
    # Contact 2 has no channel, channels 0 and 9 no contact.
    probe = probe_at(GRID[:8], wiring=[8, 7, -1, 6, 5, 3, 2, 1])
    write_probeinterface(tmp_path / "probe.json", probe)
    caplog.set_level("INFO", "huidurep_hf")
    read = set_named_probe(recording_of_counts(10), tmp_path / "probe.json")
    assert read.get_traces()[0].tolist() == [1, 2, 3, 5, 6, 7, 8]
    np.testing.assert_allclose(read.get_channel_locations(), GRID[[7, 6, 5, 4, 3, 1, 0]])
    assert "no contact for the channels 0, 4, 9" in caplog.text


def test_contacts_wired_to_channels_that_are_not_there_are_left_out_aloud(tmp_path, caplog):
    write_probeinterface(tmp_path / "probe.json", probe_at(GRID))
    read = set_named_probe(recording_of_counts(6), tmp_path / "probe.json")
    np.testing.assert_allclose(read.get_channel_locations(), GRID[:6])
    assert "the recording with its 6 channels has not (6, 7, 8" in caplog.text


def test_wiring_counts_the_selected_channels_or_all_of_them():
    traces = recording_of_counts(20).get_traces()
    given = {"traces": traces, "sampling_rate": 30000.0}
    # One contact for each selected channel.
    read = as_recording({**given, "probe": probe_at(GRID[:4], wiring=[3, 2, 1, 0]), "channels": "10-13"})
    assert read.get_traces()[0].tolist() == [10, 11, 12, 13]
    np.testing.assert_allclose(read.get_channel_locations(), GRID[[3, 2, 1, 0]])
    # A probe of other channels too.
    read = as_recording({**given, "probe": probe_at(GRID), "channels": "10-13,5"})
    assert read.get_traces()[0].tolist() == [10, 11, 12, 13, 5]
    np.testing.assert_allclose(read.get_channel_locations(), GRID[[10, 11, 12, 13, 5]])
    read = as_recording({**given, "probe": "tetrode", "channels": "7,3,1,2"})
    assert read.get_traces()[0].tolist() == [7, 3, 1, 2]


@pytest.mark.parametrize(
    ("probe", "channels", "message"),
    [
        (probe_at(GRID[:4], wiring=[0, 1, 1, 2]), None, "wires 2 contacts to channel 1;.*or -1"),
        (probe_at(GRID[:4]), "10-12", "to none of the 3 channels;.*--channels"),
        ("linear:32:20", "0-15", "32 contacts but the recording has 20 channels, 16 of them selected.*--channels"),
    ],
)
def test_wiring_that_does_not_fit_is_refused(probe, channels, message):
    given = {"traces": np.zeros((100, 20)), "sampling_rate": 30000.0, "probe": probe, "channels": channels}
    with pytest.raises(ValueError, match=message):
        as_recording(given)


def test_a_probe_of_the_library_is_attached_whichever_its_wiring():
    probe = generate_multi_columns_probe(num_columns=2, num_contact_per_column=4)
    assert probe.device_channel_indices is None
    read = as_recording({"traces": np.zeros((100, 8)), "sampling_rate": 30000.0, "probe": probe})
    np.testing.assert_allclose(read.get_channel_locations(), probe.contact_positions)

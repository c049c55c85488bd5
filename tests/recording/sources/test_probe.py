import numpy as np
import pytest
from probeinterface import generate_tetrode, write_probeinterface
from spikeinterface.core import NumpyRecording

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

import numpy as np
import pytest
from spikeinterface.core import NumpyRecording

from huidurep_hf.recording.sources.channels import select_channels


def recording(ids, names=None):
    recording = NumpyRecording([np.zeros((10, len(ids)))], 30000.0, channel_ids=ids)
    if names is not None:
        recording.set_property("channel_name", names)
    return recording


INTAN = recording(["0", "1", "2"], ["A-000", "A-001", "A-002"])


@pytest.mark.parametrize(
    ("recording", "channels", "expected"),
    [
        (recording(["a", "b", "c"]), None, [0, 1, 2]),
        (recording(["a", "b", "c"]), "c,a", [2, 0]),
        (recording(["a", "b", "c"]), "b-c", [1, 2]),
        (recording(["a", "b", "c"]), "0, 2", [0, 2]),
        (recording([0, 1, 2, 3]), "0-1,3,1", [0, 1, 3]),
        (recording(["1", "2", "3", "4"]), "1-4", [0, 1, 2, 3]),
        (recording(["1", "2", "3", "4"]), "0-3", [0, 1, 2, 3]),
        (recording(["1", "2", "3", "4"]), "0,3", [0, 3]),
        (INTAN, "A-001", [1]),
        (INTAN, "A-000-A-002", [0, 1, 2]),
        (INTAN, "1-2", [1, 2]),
    ],
)
def test_channels_by_name_and_by_range(recording, channels, expected):
    assert select_channels(recording, channels).tolist() == expected


@pytest.mark.parametrize("channels", ["d", "0-3", "2-1", "", "-1"])
def test_channels_that_are_not_there_are_named(channels):
    with pytest.raises(ValueError, match=f"no channels '{channels}'; it has 3 .a, b, c.: give names, or ranges"):
        select_channels(recording(["a", "b", "c"]), channels)

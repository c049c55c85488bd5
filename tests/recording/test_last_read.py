import pickle
from threading import Thread

import numpy as np
import pytest

from huidurep_hf.recording.last_read import LastReadRecording


def test_traces_are_those_of_the_recording(make_recording):
    rng = np.random.default_rng(0)
    recording = make_recording(traces=[rng.normal(size=(n, 4)).astype("float32") for n in (3000, 2000)])
    kept = LastReadRecording(recording)
    for segment, start, stop in (
        (0, 100, 900),
        (0, 200, 300),
        (0, 0, 900),
        (1, 200, 300),
        (0, 800, 3000),
        (1, 0, 2000),
    ):
        expected = recording.get_traces(segment, start, stop)
        np.testing.assert_array_equal(kept.get_traces(segment, start, stop), expected)
        part = kept.get_traces(segment, start, stop, channel_ids=recording.channel_ids[[2, 0]])
        np.testing.assert_array_equal(part, expected[:, [2, 0]])
    with pytest.raises(ValueError, match="read-only"):
        kept.get_traces(0, 0, 10)[0] = 1
    again = pickle.loads(pickle.dumps(kept))
    np.testing.assert_array_equal(again.get_traces(1, 5, 50), recording.get_traces(1, 5, 50))


def test_each_thread_keeps_its_own(make_recording):
    rng = np.random.default_rng(0)
    recording = make_recording(traces=[rng.normal(size=(3000, 4)).astype("float32")])
    kept, differences = LastReadRecording(recording), []

    def read(first):
        for start in range(first, 2900, 2):
            found = kept.get_traces(0, start, start + 50)
            differences.append(np.abs(found - recording.get_traces(0, start, start + 50)).max())

    threads = [Thread(target=read, args=(first,)) for first in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(differences) == 2900 and max(differences) == 0

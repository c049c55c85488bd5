"""What cannot be done is said at once, and why nothing was found."""

import re

import numpy as np
import pytest
from spikeinterface.core import NumpyRecording

from huidurep_hf import SortingParameters


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seed": 2**32}, "seed=4294967296; it must be between 0 and 4294967295"),
        ({"detect_threshold": float("inf")}, "detect_threshold=inf; a finite number"),
        ({"min_gain": float("inf")}, "min_gain=inf; a finite number"),
        ({"artifact_threshold": float("nan")}, "artifact_threshold=nan; a finite number"),
    ],
)
def test_impossible_values_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        SortingParameters(**values)


def test_a_sampling_rate_that_is_none_is_refused(sorter, tetrode):
    recording = NumpyRecording([tetrode[0].get_traces()[:100]], sampling_frequency=np.inf)
    recording.set_probegroup(tetrode[0].get_probegroup())
    with pytest.raises(ValueError, match="sampling rate of inf Hz; give the true one"):
        sorter.sort(recording)


def test_more_units_than_spikes_are_refused(sorter, tetrode):
    with pytest.raises(ValueError, match=r"num_units=100000, and only \d+ spikes were detected; ask for fewer"):
        sorter.sort(tetrode[0], num_units=100_000)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"detect_threshold": 500.0}, "nothing exceeds the detection threshold of 500 noise SDs"),
        ({"min_spikes_per_unit": 10_000}, r"\d+ spikes were detected, and the smallest unit has 10000"),
    ],
)
def test_no_units_come_with_a_sentence(sorter, tetrode, caplog, parameters, message):
    result = sorter.sort(tetrode[0], **parameters)
    assert len(result.templates) == 0
    assert re.search(message, result.provenance["no_units"])
    assert result.provenance["no_units"] in caplog.text


def test_a_silent_recording_says_that_it_is_silent(sorter, tetrode):
    silent = NumpyRecording([np.zeros((30000, 4), dtype="int16")], sampling_frequency=30000.0)
    silent.set_probegroup(tetrode[0].get_probegroup())
    assert "the recording is silent" in sorter.sort(silent).provenance["no_units"]

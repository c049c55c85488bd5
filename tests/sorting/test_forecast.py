import logging

import numpy as np
import pytest
from spikeinterface.core import NumpyRecording

from huidurep_hf.recording import trace_copy
from huidurep_hf.sorting.forecast import Forecast, announce, forecast_run
from huidurep_hf.sorting.parameters import SortingParameters


def lazy(num_channels, seconds):
    """A recording of a given size that takes no memory."""
    traces = np.broadcast_to(np.zeros((1, num_channels), dtype="int16"), (int(seconds * 30000), num_channels))
    return NumpyRecording([traces], 30000.0)


def test_a_forecast_grows_with_the_recording_and_memory_hardly():
    short, long = (forecast_run(lazy(384, seconds), SortingParameters(), 2) for seconds in (600, 3600))
    assert 3.9 < long.seconds / short.seconds < 6.1
    assert long.disk_gb == pytest.approx(6 * short.disk_gb) == pytest.approx(83, rel=0.01)
    assert short.memory_gb < long.memory_gb < 1.7 * short.memory_gb


def test_cores_share_the_time_and_few_traces_stay_in_memory():
    recording = lazy(32, 120)
    alone, shared = (forecast_run(recording, SortingParameters(), num_workers) for num_workers in (1, 4))
    assert shared.seconds < alone.seconds / 2
    # The table of peaks alone.
    assert 0 < alone.disk_gb == shared.disk_gb < 1e-3
    # All spikes are learned from where clusters are taken as they are.
    every = forecast_run(lazy(384, 3600), SortingParameters(template_matching="off"), 1)
    assert every.memory_gb > 5 * forecast_run(lazy(384, 3600), SortingParameters(), 1).memory_gb


def test_a_disk_without_room_is_said_before_the_run(tmp_path, caplog):
    with caplog.at_level(logging.INFO, "huidurep_hf"):
        announce(Forecast(200.0, 2.0, 1e6), tmp_path)
    assert "forecast: 3 min, 2.0 GB of memory, 1000000.0 GB of scratch files" in caplog.text
    assert "--scratch-folder" in caplog.text


@pytest.mark.slow
def test_a_run_states_what_it_took_beside_the_forecast(sorter, tetrode, tetrode_result, tmp_path, monkeypatch):
    provenance = tetrode_result.provenance
    assert set(provenance["forecast"]) == set(provenance["used"]) == {"seconds", "memory_gb", "disk_gb"}
    assert provenance["used"]["seconds"] >= 0.99 * sum(provenance["seconds"].values())
    assert 0.2 < provenance["used"]["memory_gb"] < 20
    # Traces are in memory; detected peaks are four columns of 20 bytes a peak in all, and the heads of their files.
    num_peaks = tetrode_result.events["detected"].sum()
    assert provenance["used"]["disk_gb"] == pytest.approx(1e-9 * (20 * num_peaks + 4 * 128), rel=0.01)
    monkeypatch.setattr(trace_copy, "MAX_BYTES_IN_MEMORY", 0)
    on_disk = sorter.sort(tetrode[0], scratch_folder=tmp_path).provenance
    assert on_disk["used"]["disk_gb"] == pytest.approx(on_disk["forecast"]["disk_gb"], rel=0.01)

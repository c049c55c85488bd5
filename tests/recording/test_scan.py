import numpy as np
import pytest

from huidurep_hf.recording import trace_copy
from huidurep_hf.recording.parameters import PreparationParameters
from huidurep_hf.recording.preprocessing.preparation import plan_preprocessing
from huidurep_hf.recording.scan import prepare, scan
from huidurep_hf.recording.spikes.detection import detect
from huidurep_hf.workers import Workers

LOW = PreparationParameters(detect_threshold=3.5)


@pytest.fixture
def recording(make_recording):
    """Two shanks that share noise, and so have a reference; an artifact at the edge of two blocks."""
    rng = np.random.default_rng(1)
    traces = [rng.normal(size=(n, 32)) + 2 * rng.normal(size=(n, 1)) for n in (70_000, 40_000)]
    traces[0][29_990:30_010] -= np.linspace(900, 1100, 32)
    return make_recording(
        num_channels=32, groups=np.repeat([0, 1], 16), traces=[each.astype("float32") for each in traces]
    )


@pytest.mark.slow
@pytest.mark.parametrize("num_workers", [1, 3])
def test_one_reading_gives_what_lazy_preprocessing_and_detection_give(recording, num_workers):
    prepared, peaks = scan(recording, LOW, workers=Workers(num_workers))
    assert any("reference" in step for step in prepared.steps)
    assert prepared.steps[-1].startswith("blanked 1 artifacts")
    lazy = plan_preprocessing(recording, LOW, workers=Workers(1)).prepared
    np.testing.assert_array_equal(prepared.noise_levels, lazy.noise_levels)
    is_blanked = []
    for segment in range(2):
        found, given = (each.recording.get_traces(segment_index=segment) for each in (prepared, lazy))
        blanked = (found == 0).all(axis=1)
        assert (600 < blanked.sum() < 700) if segment == 0 else not blanked.any()
        # The filter reaches into a block from beyond its edges as far as its margin goes.
        np.testing.assert_allclose(found[~blanked], given[~blanked], atol=2e-3)
        is_blanked.append(blanked)
    # A lazy recording is filtered in the same way: block by block, with a margin around.
    expected = detect(lazy, LOW.detection)
    is_outside = np.array([not is_blanked[peak["segment_index"]][peak["sample_index"]] for peak in expected])
    assert 0 < np.sum(~is_outside) < 50
    assert len(peaks) > 100
    np.testing.assert_array_equal(peaks["sample_index"], expected["sample_index"][is_outside])
    np.testing.assert_array_equal(peaks["channel_index"], expected["channel_index"][is_outside])


@pytest.mark.slow
def test_the_number_of_workers_changes_nothing(recording):
    (first, peaks), (second, same_peaks) = (
        scan(recording, LOW, workers=Workers(num_workers)) for num_workers in (1, 3)
    )
    np.testing.assert_array_equal(peaks, same_peaks)
    np.testing.assert_array_equal(first.recording.get_traces(0), second.recording.get_traces(0))


@pytest.mark.slow
def test_traces_in_the_scratch_folder_are_those_in_memory(recording, tmp_path, monkeypatch):
    in_memory, peaks = scan(recording, LOW)
    monkeypatch.setattr(trace_copy, "MAX_BYTES_IN_MEMORY", 0)
    on_disk, same_peaks = scan(recording, LOW, scratch_folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    # Peaks are found before rounding.
    np.testing.assert_array_equal(peaks, same_peaks)
    for segment in range(2):
        found, given = (each.recording.get_traces(segment_index=segment) for each in (on_disk, in_memory))
        # Half a step of 1/32 SD.
        assert np.abs((found - given) / in_memory.noise_levels).max() < 1.001 / 64
    nowhere, again = scan(recording, LOW)
    np.testing.assert_array_equal(peaks, again)
    np.testing.assert_allclose(nowhere.recording.get_traces(1), in_memory.recording.get_traces(1), atol=2e-3)


@pytest.mark.slow
def test_without_detection_there_are_no_peaks(recording):
    prepared, peaks = scan(recording, LOW, with_peaks=False)
    assert len(peaks) == 0
    np.testing.assert_array_equal(prepared.recording.get_traces(1), prepare(recording).recording.get_traces(1))


def test_nothing_to_scan(make_recording):
    prepared, peaks = scan(make_recording(num_samples=10), LOW)
    assert prepared.recording is None and len(peaks) == 0

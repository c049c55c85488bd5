import numpy as np
import pytest
from spikeinterface.core import load

from huidurep_hf.evaluation.speed import generated_recordings
from huidurep_hf.evaluation.speed.generated_recordings import SIZES, save_generated, with_changes
from huidurep_hf.evaluation.speed.speed_cases import generated_case


@pytest.fixture
def parameters():
    return with_changes(SIZES["smoke"], duration_s=2.0)


@pytest.mark.slow
def test_lazy_traces_are_those_on_disk(parameters, tmp_path):
    folders = [tmp_path / name for name in ("binary", "lazy")]
    for folder in folders:
        folder.mkdir()
    binary, lazy = (save_generated(parameters, folder, is_lazy=folder.name == "lazy") for folder in folders)
    assert (binary.traces, lazy.traces) == ("binary", "lazy")
    traces = [load(saved.path).get_traces() for saved in (binary, lazy)]
    assert traces[0].dtype == np.int16 and np.array_equal(*traces)
    assert np.array_equal(binary.sorting.to_spike_vector(), lazy.sorting.to_spike_vector())
    assert load(binary.path).get_channel_gains()[0] == 0.1 and min(binary.unit_snr.values()) > 1


def test_traces_are_lazy_where_the_disk_is_full(parameters, monkeypatch, tmp_path):
    monkeypatch.setattr(generated_recordings, "MAX_SHARE_OF_DISK", 0.0)
    assert save_generated(parameters, tmp_path).traces == "lazy"


def test_a_changed_size_has_a_name_of_its_own():
    assert generated_case("dense").size == "dense" and generated_case("dense", minutes=None, is_lazy=True)
    assert generated_case("dense", duration_s=120.0).size == "384 ch, 300 units, 2 min"
    assert generated_case("dense", is_lazy=True).description != generated_case("dense").description

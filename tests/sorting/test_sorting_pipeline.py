from collections import UserDict

import numpy as np
import pytest
import torch
from datasets import Dataset, DatasetDict
from transformers import AutoFeatureExtractor, AutoModel, pipeline
from transformers.pipelines.pt_utils import KeyDataset

import huidurep_hf


@pytest.fixture(scope="module")
def sort(tiny_checkpoint):
    model = AutoModel.from_pretrained(tiny_checkpoint)
    feature_extractor = AutoFeatureExtractor.from_pretrained(tiny_checkpoint)
    return pipeline("spike-sorting", model=model, feature_extractor=feature_extractor)


@pytest.fixture(scope="module")
def arrays(tetrode):
    """The tetrode recording as a user without SpikeInterface objects has it."""
    recording = tetrode[0]
    return {
        "traces": recording.get_traces(),
        "sampling_rate": recording.sampling_frequency,
        "probe": recording.get_channel_locations(),
    }


def spikes_of(sorting):
    return sorting.to_spike_vector().tolist()


def test_gives_what_the_sorter_gives(sort, tetrode, tetrode_result):
    assert spikes_of(sort(tetrode[0])) == spikes_of(tetrode_result.sorting)


@pytest.mark.slow
def test_list_gives_list_and_batch_size_is_of_spikes(sort, tetrode, tetrode_result):
    sortings = sort([tetrode[0], tetrode[0]], batch_size=100)
    assert [s.to_spike_vector().size for s in sortings] == [tetrode_result.sorting.to_spike_vector().size] * 2


def test_arguments_reach_the_sorter(sort, tetrode, tmp_path):
    sorting = sort(tetrode[0], detect_threshold=500.0, output_folder=tmp_path / "result")
    assert len(sorting.unit_ids) == 0
    assert (tmp_path / "result" / "provenance.json").is_file()


def test_wrong_arguments_are_refused(sort, tetrode, tmp_path):
    with pytest.raises(ValueError, match="did you mean 'detect_threshold'"):
        sort(tetrode[0], detect_treshold=4.0)
    with pytest.raises(ValueError, match="2 recordings and one output_folder"):
        sort([tetrode[0]] * 2, output_folder=tmp_path / "result")


def test_by_name_of_a_folder_on_a_device_in_a_precision(tiny_checkpoint, tetrode):
    sort = pipeline("spike-sorting", model=str(tiny_checkpoint), batch_size=64, device="cpu", dtype=torch.bfloat16)
    assert sort.model.dtype == torch.bfloat16
    assert len(sort(tetrode[0]).unit_ids) > 0


@pytest.fixture(scope="module")
def short(sort, arrays):
    """Three seconds of it, and their spikes."""
    short = {**arrays, "traces": arrays["traces"][:90000]}
    expected = spikes_of(sort(short))
    assert len(expected) > 0
    return short, expected


@pytest.mark.slow
def test_a_dict_of_traces_and_a_path(sort, short, tetrode, tmp_path):
    short, expected = short
    tetrode[0].frame_slice(0, 90000).save(folder=tmp_path / "recording", progress_bar=False)
    assert spikes_of(sort(str(tmp_path / "recording"))) == expected
    assert [spikes_of(s) for s in sort([{"path": str(tmp_path / "recording")}, short])] == [expected, expected]


@pytest.mark.slow
def test_a_table_of_recordings(sort, short, tetrode, tmp_path):
    short, expected = short
    row = {name: np.asarray(value).tolist() for name, value in short.items()}
    table = Dataset.from_list([row, row])
    assert [spikes_of(sorting) for sorting in sort(table.with_format("numpy"))] == [expected, expected]
    nested = Dataset.from_list([{"recording": row}])
    assert [spikes_of(sorting) for sorting in sort(KeyDataset(nested, "recording"))] == [expected]
    tetrode[0].frame_slice(0, 90000).save(folder=tmp_path / "recording", progress_bar=False)
    stream = Dataset.from_list([{"path": str(tmp_path / "recording")}]).to_iterable_dataset()
    assert [spikes_of(sorting) for sorting in sort(stream)] == [expected]
    assert spikes_of(sort(UserDict(short))) == expected
    splits = sort(DatasetDict({"train": table.select([0]).with_format("numpy")}))
    assert {split: [spikes_of(one) for one in sortings] for split, sortings in splits.items()} == {"train": [expected]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probe": np.zeros((3, 2))}, "expected \\(4, 2\\)"),
        ({"probe": "linear:8:20"}, "8 contacts"),
        ({"traces": np.zeros(100)}, "expected \\(num_samples, num_channels\\)"),
        ({"sampling_rate": 0}, "must be positive"),
        ({"sampling_rate": None}, "without \\['sampling_rate'\\]"),
        ({"gain": 2.0}, "with \\['gain'\\]"),
        ({"probe": None}, "no probe"),
        ({"path": "absent.zarr", "traces": None, "sampling_rate": None, "probe": None}, "does not exist"),
    ],
)
def test_what_is_wrong_with_a_dict_is_said(sort, arrays, change, message):
    with pytest.raises(ValueError, match=message):
        sort({**arrays, **change})


def test_forms_of_a_probe(arrays, tetrode):
    probe = tetrode[0].get_probe()
    for given in (probe, probe.to_dict(), tetrode[0].get_probegroup(), tetrode[0].get_probegroup().to_dict()):
        recording = huidurep_hf.as_recording({**arrays, "probe": given, "gain_uv": 0.5})
        assert np.allclose(recording.get_channel_locations(), arrays["probe"])
        assert set(recording.get_channel_gains()) == {0.5}

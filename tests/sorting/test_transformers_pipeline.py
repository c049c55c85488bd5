import pytest
from transformers import AutoFeatureExtractor, AutoModel, pipeline

from huidurep_hf.sorting.transformers_pipeline import register_pipeline


@pytest.fixture(scope="module")
def sort(tiny_checkpoint):
    register_pipeline()
    model = AutoModel.from_pretrained(tiny_checkpoint)
    feature_extractor = AutoFeatureExtractor.from_pretrained(tiny_checkpoint)
    return pipeline("spike-sorting", model=model, feature_extractor=feature_extractor)


def test_gives_what_the_sorter_gives(sort, tetrode, tetrode_result):
    assert sort(tetrode[0]).to_spike_vector().tolist() == tetrode_result.sorting.to_spike_vector().tolist()


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


def test_by_name_of_a_folder(tiny_checkpoint, tetrode):
    register_pipeline()
    sort = pipeline("spike-sorting", model=str(tiny_checkpoint), batch_size=64)
    assert len(sort(tetrode[0]).unit_ids) > 0

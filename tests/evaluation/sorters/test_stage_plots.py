import dataclasses

import numpy as np
import pytest
from PIL import Image

from huidurep_hf.evaluation.sorters.stage_plots import FILES, draw_stages, go_through_stages
from huidurep_hf.simulation.recordings.examples import example_recording
from huidurep_hf.sorting.encoder import SpikeEncoder
from huidurep_hf.sorting.parameters import SortingParameters
from huidurep_hf.sorting.sorter import SpikeSorter
from huidurep_hf.workers import Workers


@pytest.mark.slow
def test_a_picture_of_each_stage(tiny_checkpoint, tmp_path):
    truth = example_recording("tetrode", duration_s=20.0)
    sorter = SpikeSorter.from_pretrained(tiny_checkpoint)
    encoder = SpikeEncoder(sorter.model, sorter.feature_extractor)
    stages = go_through_stages(truth, encoder, SortingParameters(), Workers())
    assert len(stages.split) == len(stages.merged) == len(stages.spikes) > 100
    assert stages.split.max() > stages.merged.max() >= stages.units.num_units - 1 >= 0
    assert draw_stages(stages, tmp_path) == list(FILES)
    for name in FILES:
        with Image.open(tmp_path / name) as picture:
            assert np.asarray(picture.convert("L")).std() > 5
    silent = dataclasses.replace(truth, recording=truth.recording.frame_slice(0, 3000))
    with pytest.raises(ValueError, match="choose a longer one"):
        go_through_stages(silent, encoder, SortingParameters(), Workers())

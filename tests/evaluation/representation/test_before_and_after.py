import dataclasses
import json

import numpy as np
import pytest
from spikeinterface.core import NumpySorting

from huidurep_hf.adaptation import AdaptationParameters
from huidurep_hf.evaluation.representation.before_and_after import (
    adaptation_table,
    around_table,
    evaluate_adaptation,
)
from huidurep_hf.evaluation.sorters.ground_truth import nearest_units
from huidurep_hf.simulation.recordings.recordings import RECORDING_CONDITIONS

FEW = AdaptationParameters(max_spikes=300, num_steps=2, num_pairs=16)
CONDITIONS = {"tetrode": RECORDING_CONDITIONS["tetrode"]}


@pytest.mark.slow
def test_rows_hold_what_was_before_and_after(small_conditions, tiny_checkpoint, tmp_path):
    output = tmp_path / "figures.json"
    content = evaluate_adaptation(str(tiny_checkpoint), output, CONDITIONS, [1], FEW, progress=False)
    row = content["rows"][0]
    assert row["seconds"] > 0 and 0 < row["sorted_units"] <= 1
    assert row["before"]["agreement"] != row["after"]["agreement"]
    for when in ("before", "after"):
        assert set(row[when]["agreement"]) == {"model", "model + own location"}
        assert set(row[when]["agreement"]["model"]) == {"kmeans", "mixture", "density"}
    assert row["before"]["denoiser_gain_db"] != row["after"]["denoiser_gain_db"]
    assert row["before"]["pca_gain_db"] == row["after"]["pca_gain_db"]
    again = evaluate_adaptation(str(tiny_checkpoint), output, CONDITIONS, [1], FEW, progress=False)
    assert small_conditions == [1] and again["rows"] == content["rows"] == json.loads(output.read_text())["rows"]
    assert adaptation_table(content["rows"]).count("→") == 6
    assert "| tetrode |" in around_table(content["rows"])
    with pytest.raises(ValueError, match="another adaptation"):
        other = dataclasses.replace(FEW, num_steps=4)
        evaluate_adaptation(str(tiny_checkpoint), output, CONDITIONS, [1], other, progress=False)


def test_true_spikes_are_named_by_the_nearest_sorted_one(spikes):
    samples, labels = spikes.peaks["sample_index"].astype("int64"), spikes.labels
    as_true = NumpySorting.from_samples_and_labels([samples + 5], [labels], 30000.0)
    assert (nearest_units(samples, as_true) == labels).mean() > 0.95
    late = NumpySorting.from_samples_and_labels([samples[:1] + 20], [labels[:1]], 30000.0)
    assert (nearest_units(samples, late) == -1).mean() > 0.95
    nothing = NumpySorting.from_unit_dict([{}], 30000.0)
    np.testing.assert_array_equal(nearest_units(samples, nothing), -1)

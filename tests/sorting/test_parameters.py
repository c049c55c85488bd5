import copy
import pickle
import re
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest

import huidurep_hf
from huidurep_hf import SortingParameters
from huidurep_hf.recording.parameters import PreparationParameters
from huidurep_hf.recording.settings import DetectionSettings
from huidurep_hf.sorting.parameters import STAGES


def test_every_parameter_is_described():
    settings = SortingParameters.list_settings()
    for parameter in settings:
        assert len(parameter.metadata["description"]) > 8, parameter.name
    # One name, one setting: the command line and SpikeInterface know them by their names alone.
    names = [parameter.name for parameter in settings]
    assert len(set(names)) == len(names) > 20
    assert list(SortingParameters().to_dict()) == names


def test_every_setting_is_read_somewhere():
    package = Path(huidurep_hf.__file__).parent
    code = "\n".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py") if path.name != "settings.py")
    unread = [one.name for one in SortingParameters.list_settings() if not re.search(rf"\.{one.name}\b", code)]
    assert unread == []


def test_settings_are_there_by_their_stage_and_by_their_name():
    parameters = SortingParameters(detect_threshold=6, motion="off", min_gain=18)
    assert parameters.detection == DetectionSettings(detect_threshold=6.0)
    assert parameters.motion_correction.motion == parameters.motion == "off"
    assert parameters.matching.min_gain == parameters.min_gain == 18.0
    assert set(STAGES) <= set(vars(parameters))
    assert isinstance(parameters, PreparationParameters)
    assert PreparationParameters(detect_threshold=6).detection == parameters.detection
    assert PreparationParameters() != SortingParameters()
    with pytest.raises(AttributeError, match="no setting 'detect_treshold'"):
        _ = parameters.detect_treshold


def test_parameters_are_values():
    parameters = SortingParameters(seed=3)
    assert parameters == SortingParameters(seed=np.int64(3)) != SortingParameters(seed=4)
    assert hash(parameters) == hash(SortingParameters(seed=3))
    assert "seed=3" in repr(parameters)
    assert pickle.loads(pickle.dumps(parameters)) == copy.deepcopy(parameters) == parameters
    with pytest.raises(AttributeError, match="to set 'seed'"):
        parameters.seed = 4
    with pytest.raises(FrozenInstanceError):
        parameters.run.seed = 4


def test_numbers_become_their_type_and_survive_a_dict():
    parameters = SortingParameters(detect_threshold=6, clustering="gmm", num_units=4)
    assert isinstance(parameters.detect_threshold, float)
    assert SortingParameters.from_dict(parameters.to_dict()) == parameters


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"detect_treshold": 4}, ValueError, "did you mean 'detect_threshold'"),
        ({"detect_threshold": 0.1}, ValueError, "detect_threshold=0.1; it must be at least 1"),
        ({"min_valley": 1.5}, ValueError, "between 0 and 1"),
        ({"detect_threshold": float("nan")}, ValueError, "a finite number is needed"),
        ({"min_gain": float("inf")}, ValueError, "a finite number is needed"),
        ({"whiten_in_time": "yes"}, ValueError, "choose from on, off"),
        ({"detect_threshold": "5"}, TypeError, "a str; a number is needed"),
        ({"seed": 1.5}, TypeError, "a whole number is needed"),
        ({"batch_size": True}, TypeError, "bool"),
        ({"clustering": "kmeans"}, ValueError, "choose from auto, gmm, hdbscan"),
        ({"freq_min_hz": 800, "freq_max_hz": 700}, ValueError, "first must be smaller"),
        ({"min_burst_interval_ms": 12, "max_burst_interval_ms": 8}, ValueError, "first must be smaller"),
        ({"min_refractory_lag_ms": 2}, ValueError, "first must be smaller"),
        ({"step_gap_ms": 9}, ValueError, "step_gap_ms=9 and step_fit_ms=8; the first must be smaller"),
        ({"noise_part_rank": 8}, ValueError, "noise_part_rank=8 and noise_parts_per_window=8"),
        ({"max_baseline_lag_ms": 10}, ValueError, "min_baseline_lag_ms=15 and max_baseline_lag_ms=10"),
        ({"num_units": 5, "clustering": "hdbscan"}, ValueError, "clustering='gmm'"),
    ],
)
def test_wrong_values_are_refused(values, error, message):
    with pytest.raises(error, match=message):
        SortingParameters.from_dict(values)


def test_scalars_of_numpy_are_numbers():
    parameters = SortingParameters(num_units=np.int64(8), detect_threshold=np.float32(5), seed=np.uint8(3))
    assert (parameters.num_units, parameters.detect_threshold, parameters.seed) == (8, 5.0, 3)
    assert {type(parameters.num_units), type(parameters.seed)} == {int}
    with pytest.raises(TypeError, match="num_units=np.float64"):
        SortingParameters(num_units=np.float64(8))

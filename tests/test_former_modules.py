from importlib import import_module

import pytest

import huidurep_hf
from huidurep_hf.former_modules import FORMER_MODULES


@pytest.mark.parametrize("name", FORMER_MODULES)
def test_a_former_name_has_what_is_in_the_new_one(name):
    with pytest.warns(DeprecationWarning, match=f"huidurep_hf.{name} is now"):
        module = import_module(f"huidurep_hf.{name}")
    for new in FORMER_MODULES[name]:
        found = import_module(f"huidurep_hf.{new}")
        public = [key for key in vars(found) if not key.startswith("_")]
        assert public and all(hasattr(module, key) for key in public)
        assert found.__name__ == f"huidurep_hf.{new}"


def test_what_users_import_by_former_names_is_there():
    from huidurep_hf.evaluation.ground_truth import score_sorting
    from huidurep_hf.recording.preparation import prepare
    from huidurep_hf.recording.reading import read_recording
    from huidurep_hf.recording.whitening import whiten
    from huidurep_hf.simulation.examples import EXAMPLE_NOISE_UV, example_recording
    from huidurep_hf.sorting.result import SortingResult

    from huidurep_hf.simulation.recordings import RecordingParameters, generate_recording

    assert all([score_sorting, prepare, read_recording, whiten, example_recording, generate_recording])
    assert EXAMPLE_NOISE_UV > 0 and RecordingParameters and SortingResult


def test_other_names_are_not_found():
    with pytest.raises(ModuleNotFoundError):
        import_module(f"{huidurep_hf.__name__}.recording.nowhere")

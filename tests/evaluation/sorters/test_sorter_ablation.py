import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from huidurep_hf.evaluation.sorters import sorter_ablation
from huidurep_hf.evaluation.sorters.sorter_ablation import AblatedSorter, Arm, ablate_sorter, sorter_ablation_table
from huidurep_hf.recording.preprocessing.preparation import prepare
from huidurep_hf.recording.spikes.detection import detect
from huidurep_hf.simulation.recordings import recordings
from huidurep_hf.sorting.parameters import SortingParameters
from huidurep_hf.sorting.sorter import SpikeSorter


@pytest.fixture(scope="module")
def embedded(tiny_checkpoint, generated):
    """What four variants of the sorter say about the same peaks."""
    prepared = prepare(generated[0])
    peaks = detect(prepared, threshold=5.0, peak_sign="neg", radius_um=75.0, exclude_sweep_ms=0.5)
    whole = SpikeSorter.from_pretrained(tiny_checkpoint, device="cpu")
    arms = {"all": Arm(), "pca": Arm(use_embedding=False), "noisy": Arm(use_denoiser=False)}
    arms["centers"] = Arm(use_locations=False)
    return {
        name: AblatedSorter(whole.model, whole.feature_extractor, arm)._embed(
            prepared, peaks, SortingParameters(), progress=False
        )
        for name, arm in arms.items()
    }


def test_each_arm_changes_what_it_says(embedded):
    whole, pca, noisy, centers = (embedded[name] for name in ("all", "pca", "noisy", "centers"))
    assert pca.embeddings.shape == whole.embeddings.shape
    assert np.abs(pca.embeddings - whole.embeddings).max() > 1
    # Principal components: without mean, uncorrelated, the largest first.
    covariance = np.cov(pca.embeddings.T)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 1e-2 * covariance[0, 0]
    assert (np.diff(np.diag(covariance)) <= 1e-3).all()
    np.testing.assert_array_equal(pca.locations_um, whole.locations_um)
    np.testing.assert_array_equal(noisy.embeddings, whole.embeddings)
    assert not np.allclose(noisy.locations_um, whole.locations_um)
    assert not np.allclose(noisy.amplitudes, whole.amplitudes)
    np.testing.assert_array_equal(centers.embeddings, whole.embeddings)
    np.testing.assert_array_equal(centers.amplitudes, whole.amplitudes)
    assert not np.allclose(centers.locations_um, whole.locations_um)


def test_an_arm_without_whitening_in_time(tiny_checkpoint, generated):
    whole = SpikeSorter.from_pretrained(tiny_checkpoint, device="cpu")
    sorter = AblatedSorter(whole.model, whole.feature_extractor, Arm(whitens_in_time=False))
    steps = [each._whiten(prepare(generated[0]), SortingParameters()).steps[-1] for each in (whole, sorter)]
    assert "and time" in steps[0] and "and time" not in steps[1]


@pytest.mark.parametrize("equalises_noise", [True, False])
def test_an_arm_that_leaves_the_noise_of_moved_traces(tiny_checkpoint, monkeypatch, equalises_noise):
    asked = {}
    monkeypatch.setattr(sorter_ablation, "follow_motion", lambda *args, **kwargs: asked.update(kwargs))
    whole = SpikeSorter.from_pretrained(tiny_checkpoint, device="cpu")
    sorter = AblatedSorter(whole.model, whole.feature_extractor, Arm(equalises_noise=equalises_noise))
    sorter._follow_motion(None, None, SimpleNamespace(locations_um=None), SortingParameters(seed=4))
    assert asked == {"equalise_noise": equalises_noise, "seed": 4}


@pytest.mark.parametrize("moves_templates", [True, False])
def test_an_arm_that_matches_in_moved_traces(tiny_checkpoint, generated, moves_templates, monkeypatch):
    before = prepare(generated[0])
    moved = dataclasses.replace(before, uncorrected=before)
    monkeypatch.setattr(sorter_ablation, "follow_motion", lambda *args, **kwargs: moved)
    whole = SpikeSorter.from_pretrained(tiny_checkpoint, device="cpu")
    sorter = AblatedSorter(whole.model, whole.feature_extractor, Arm(moves_templates=moves_templates))
    followed = sorter._follow_motion(before, None, SimpleNamespace(locations_um=None), SortingParameters())
    assert (sorter._whiten(followed, SortingParameters()).uncorrected is not None) == moves_templates


def test_rows_are_kept_and_the_table_compares_only_whole_arms(tiny_checkpoint, generated, tmp_path, monkeypatch):
    @dataclasses.dataclass
    class Truth:
        recording: object
        sorting: object
        unit_snr: np.ndarray

    truth = Truth(*generated, np.array([2.0, 4.0, 8.0, 10.0]))
    made = []
    monkeypatch.setattr(recordings, "generate_recording", lambda parameters: made.append(parameters) or truth)
    monkeypatch.setattr(sorter_ablation, "ARMS", dict(list(sorter_ablation.ARMS.items())[-3:]))
    names = list(sorter_ablation.ARMS)
    output = tmp_path / "rows.json"
    kwargs = {"seeds": [3], "conditions": ["tetrode"], "progress": False}
    first = ablate_sorter(tiny_checkpoint, output, arms=names[:1], **kwargs)
    content = ablate_sorter(tiny_checkpoint, output, **kwargs)
    assert [row["arm"] for row in content["rows"]] == names
    assert content["rows"][0] == first["rows"][0]
    assert [parameters.seed for parameters in made] == [3, 3]
    assert made[0].snr_range == (5.0, 30.0)
    published, ceiling = (row["scores"] for row in content["rows"][-2:])
    assert published["num_sorted_units"] == 4
    # Given the true spikes, the sorter's path loses next to nothing of units as clear as these.
    assert ceiling["accuracy"] > 0.95 and ceiling["accuracy"] >= published["accuracy"]
    table = sorter_ablation_table(content)
    assert table.count("\n") == 1 + len(names)
    content["rows"].append({**content["rows"][0], "recording_seed": 4})
    assert sorter_ablation_table(content).splitlines()[3].endswith("|  |  |  |  |")


def test_unknown_names_are_refused(tiny_checkpoint, tmp_path):
    with pytest.raises(ValueError, match="Unknown arms.*'witout motion'"):
        ablate_sorter(tiny_checkpoint, tmp_path / "rows.json", seeds=[1], arms=["witout motion"])

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from spikeinterface.core import NumpyRecording
from spikeinterface.core.base import base_peak_dtype
from spikeinterface.core.motion import Motion

from huidurep_hf.evaluation.sorters import sorter_ablation
from huidurep_hf.evaluation.sorters.encoder_variants import (
    EncoderVariant,
    denoised_centers_of_mass,
    pca_embedding,
    without_denoiser,
)
from huidurep_hf.evaluation.sorters.sorter_ablation import (
    ARMS,
    FORMER_NAMES,
    ablate_sorter,
    sort_arm,
    sorter_ablation_table,
)
from huidurep_hf.recording.motion import following
from huidurep_hf.recording.preprocessing.whitening import whiten
from huidurep_hf.recording.scan import prepare
from huidurep_hf.recording.settings import DetectionSettings
from huidurep_hf.recording.spikes.detection import detect
from huidurep_hf.simulation.recordings import recordings
from huidurep_hf.sorting import peak_embedding, pipeline
from huidurep_hf.sorting.encoder import SpikeEncoder
from huidurep_hf.sorting.parameters import SortingParameters
from huidurep_hf.sorting.sorter import SpikeSorter
from huidurep_hf.sorting.spikes import Spikes
from huidurep_hf.workers import Workers

ROWS = Path(__file__).parents[3] / "model_cards" / "base" / "sorter_ablation.json"


@dataclasses.dataclass
class Truth:
    recording: object
    sorting: object
    unit_snr: np.ndarray


@pytest.fixture(scope="module")
def encoder(tiny_checkpoint):
    whole = SpikeSorter.from_pretrained(tiny_checkpoint, device="cpu")
    return SpikeEncoder(whole.model, whole.feature_extractor)


@pytest.fixture(scope="module")
def embedded(encoder, generated):
    """What four variants of the encoder say about the same peaks."""
    prepared = prepare(generated[0])
    peaks = Spikes.from_peaks(detect(prepared, DetectionSettings(detect_threshold=5.0)))
    variants = {
        "all": (),
        "pca": (pca_embedding,),
        "noisy": (without_denoiser,),
        "centers": (denoised_centers_of_mass,),
    }
    return {name: EncoderVariant(encoder, own)(prepared, peaks) for name, own in variants.items()}


@pytest.mark.slow
def test_each_arm_changes_what_it_says(embedded):
    whole, pca, noisy, centers = (embedded[name] for name in ("all", "pca", "noisy", "centers"))
    assert pca["embedding"].shape == whole["embedding"].shape
    assert np.abs(pca["embedding"] - whole["embedding"]).max() > 1
    # Principal components: without mean, uncorrelated, the largest first.
    covariance = np.cov(pca["embedding"].T)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 1e-2 * covariance[0, 0]
    assert (np.diff(np.diag(covariance)) <= 1e-3).all()
    np.testing.assert_array_equal(pca["location_um"], whole["location_um"])
    np.testing.assert_array_equal(noisy["embedding"], whole["embedding"])
    assert not np.allclose(noisy["location_um"], whole["location_um"])
    assert not np.allclose(noisy["size"], whole["size"])
    np.testing.assert_array_equal(centers["embedding"], whole["embedding"])
    np.testing.assert_array_equal(centers["size"], whole["size"])
    assert not np.allclose(centers["location_um"], whole["location_um"])
    assert all(one.names == whole.names for one in embedded.values())


@pytest.mark.slow
def test_a_variant_without_replacements_is_the_encoder(encoder, embedded, generated):
    peaks = embedded["all"][np.arange(20)]
    alone = encoder(prepare(generated[0]), peaks)
    variant = EncoderVariant(encoder)(prepare(generated[0]), peaks)
    assert all(np.array_equal(alone[name], variant[name]) for name in alone.names)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["the sorter", "PCA-32 in place of the embedding"])
def test_variants_embed_no_spikes(encoder, generated, name):
    nothing = Spikes.from_peaks(np.zeros(0, dtype=base_peak_dtype))
    embedded = EncoderVariant(encoder, ARMS[name].replacements)(prepare(generated[0]), nothing)
    assert embedded["embedding"].shape == (0, encoder.embedding_size)


@pytest.mark.slow
def test_an_arm_without_whitening_in_time(generated):
    arms = [ARMS[name] for name in ("the sorter", "whitened in space alone")]
    parameters = [SortingParameters(**arm.parameters) for arm in arms]
    steps = [whiten(prepare(generated[0]), each).steps[-1] for each in parameters]
    assert "and time" in steps[0] and "and time" not in steps[1]


@pytest.mark.parametrize("name", ARMS)
def test_an_arm_changes_settings(name):
    default, changed = SortingParameters().to_dict(), SortingParameters(**ARMS[name].parameters).to_dict()
    assert {key for key in default if default[key] != changed[key]} == set(ARMS[name].parameters)


class Stopped(Exception):
    pass


@pytest.mark.slow
@pytest.mark.parametrize(("name", "switch"), [("the sorter", "on"), ("without noise equalisation", "off")])
def test_an_arm_that_leaves_the_noise_of_corrected_traces(encoder, generated, monkeypatch, name, switch):
    asked = {}

    def follow(prepared, peaks, locations_um, parameters, *, seed):
        asked.update(equalise_noise=parameters.equalise_noise, seed=seed)
        raise Stopped

    monkeypatch.setattr(peak_embedding, "follow_motion", follow)
    parameters = SortingParameters(seed=4, **ARMS[name].parameters)
    with pytest.raises(Stopped):
        pipeline.sort_recording(generated[0], encoder, parameters, workers=Workers(1))
    assert asked == {"equalise_noise": switch, "seed": 4}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "drifts"), [("the sorter", True), ("templates at rest, matched in corrected traces", False)]
)
def test_an_arm_that_matches_in_corrected_traces(monkeypatch, name, drifts):
    recording = NumpyRecording([np.random.default_rng(0).normal(size=(630_000, 24)).astype("float32")], 30_000.0)
    recording.set_dummy_probe_from_locations(np.stack([np.zeros(24), 20.0 * np.arange(24)], axis=1))
    motion = Motion([np.array([[0.0], [20.0]])], [np.array([0.0, 21.0])], np.array([230.0]))
    monkeypatch.setattr(following, "estimate_motion", lambda *args: motion)
    peaks, locations = np.zeros(200, dtype=base_peak_dtype), np.zeros((200, 2))
    parameters = SortingParameters(motion="on", **ARMS[name].parameters)
    followed = following.follow_motion(prepare(recording), peaks, locations, parameters)
    assert followed.motion is motion
    assert (whiten(followed, parameters).uncorrected is not None) == drifts


@pytest.mark.slow
def test_the_first_arm_is_the_sorter(encoder, generated):
    truth = Truth(*generated, np.ones(4))
    events = sort_arm(ARMS["the sorter"], encoder, truth, Workers(1))
    sorting = SpikeSorter(encoder.model, encoder.feature_extractor).sort(generated[0]).sorting.to_spike_vector()
    is_spike = events["unit_index"] >= 0
    np.testing.assert_array_equal(events["sample_index"][is_spike], sorting["sample_index"])
    np.testing.assert_array_equal(events["unit_index"][is_spike], sorting["unit_index"])


def test_rows_under_former_names_are_those_of_their_arm():
    content = json.loads(ROWS.read_text())
    assert {FORMER_NAMES.get(row["arm"], row["arm"]) for row in content["rows"]} == set(ARMS)
    table = sorter_ablation_table(content)
    assert all(f"| {name} |" in table for name in ARMS)
    assert not any(f"| {name} |" in table for name in FORMER_NAMES)


@pytest.mark.slow
def test_a_file_with_former_names_is_continued(tiny_checkpoint, generated, tmp_path, monkeypatch):
    truth = Truth(*generated, np.ones(4))
    monkeypatch.setattr(recordings, "generate_recording", lambda parameters: truth)
    kwargs = {"seeds": [3], "conditions": ["tetrode"], "progress": False}
    output = tmp_path / "rows.json"
    content = ablate_sorter(tiny_checkpoint, output, arms=["without motion correction"], **kwargs)
    content["rows"][0]["arm"] = "without motion"
    output.write_text(json.dumps(content))
    monkeypatch.setattr(sorter_ablation, "sort_arm", None)
    again = ablate_sorter(tiny_checkpoint, output, arms=["without motion correction"], **kwargs)
    assert [row["arm"] for row in again["rows"]] == ["without motion correction"]


@pytest.mark.slow
def test_rows_are_kept_and_the_table_compares_only_whole_arms(tiny_checkpoint, generated, tmp_path, monkeypatch):
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
    published, oracle = (row["scores"] for row in content["rows"][-2:])
    assert published["num_sorted_units"] == 4
    # Given the true spikes, the sorter's path loses next to nothing of units as clear as these.
    assert oracle["accuracy"] > 0.95 and oracle["accuracy"] >= published["accuracy"]
    table = sorter_ablation_table(content)
    assert table.count("\n") == 1 + len(names)
    content["rows"].append({**content["rows"][0], "recording_seed": 4})
    assert sorter_ablation_table(content).splitlines()[3].endswith("|  |  |  |  |")


def test_unknown_names_are_refused(tiny_checkpoint, tmp_path):
    with pytest.raises(ValueError, match="Unknown arms.*'witout motion'"):
        ablate_sorter(tiny_checkpoint, tmp_path / "rows.json", seeds=[1], arms=["witout motion"])

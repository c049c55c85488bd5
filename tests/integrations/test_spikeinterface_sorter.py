import subprocess
import sys
from importlib import import_module

import pytest
from spikeinterface.core import generate_ground_truth_recording
from spikeinterface.sorters import (
    available_sorters,
    get_default_sorter_params,
    get_sorter_params_description,
    installed_sorters,
    run_sorter,
    run_sorter_jobs,
)
from spikeinterface.sorters.utils import SpikeSortingError

import huidurep_hf
from huidurep_hf import SortingParameters
from huidurep_hf.sorting.output.result import SortingResult


@pytest.fixture(scope="module")
def make_saved(tmp_path_factory):
    """Recordings that another process could read, as SpikeInterface asks for."""

    def make(durations):
        recording, truth = generate_ground_truth_recording(
            durations=durations, num_channels=4, num_units=3, noise_kwargs={"noise_levels": 3.0}, seed=4
        )
        return recording.save(folder=tmp_path_factory.mktemp("saved") / "recording", progress_bar=False), truth

    return make


@pytest.fixture(scope="module")
def two_segments(make_saved):
    return make_saved([4.0, 3.0])


@pytest.mark.slow
@pytest.mark.parametrize(
    "imports", [("huidurep_hf", "spikeinterface.sorters"), ("spikeinterface.sorters", "huidurep_hf")]
)
def test_importing_in_either_order_makes_it_known(imports):
    lines = [f"import {name}" for name in imports]
    lines += ["import sys, spikeinterface.sorters as s", "assert 'huidurep' in s.installed_sorters()"]
    lines += ["assert 'huidurep_hf.sorting.sorter' not in sys.modules", "print(s.sorter_dict['huidurep'].__name__)"]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "HuiduRepSorter"


def test_parameters_come_from_the_typed_source():
    assert "huidurep" in available_sorters() and "huidurep" in installed_sorters()
    parameters, described = get_default_sorter_params("huidurep"), get_sorter_params_description("huidurep")
    assert parameters == {"model": "huidurep/base", **SortingParameters().to_dict()}
    assert set(described) == set(parameters) and all(described.values())


@pytest.mark.slow
def test_run_sorter_gives_what_the_sorter_gives(two_segments, tiny_checkpoint, tmp_path):
    recording, _ = two_segments
    folder = tmp_path / "run"
    sorting = run_sorter("huidurep", recording, folder=folder, model=str(tiny_checkpoint), detect_threshold=6.0)
    sorter = huidurep_hf.SpikeSorter.from_pretrained(tiny_checkpoint)
    expected = sorter(recording, detect_threshold=6.0)
    assert sorting.get_num_segments() == 2
    assert sorting.to_spike_vector().tolist() == expected.to_spike_vector().tolist()
    result = SortingResult.load(folder / "sorter_output" / "result")
    assert result.provenance["parameters"]["detect_threshold"] == 6.0
    assert {"label", "channel", "group", "snr"} <= set(sorting.get_property_keys())
    for name in expected.get_property_keys():
        assert sorting.get_property(name).tolist() == expected.get_property(name).tolist()


@pytest.mark.slow
def test_wrong_values_are_told_before_anything_runs(two_segments, tiny_checkpoint, tmp_path):
    with pytest.raises(ValueError, match="must be at least 1"):
        run_sorter("huidurep", two_segments[0], folder=tmp_path / "a", model=str(tiny_checkpoint), detect_threshold=0)
    with pytest.raises(ValueError, match="Invalid parameters"):
        run_sorter("huidurep", two_segments[0], folder=tmp_path / "b", model=str(tiny_checkpoint), threshold=5)
    with pytest.raises(SpikeSortingError, match="its cache holds no 'no/such'"):
        run_sorter("huidurep", two_segments[0], folder=tmp_path / "c", model="no/such")


@pytest.mark.slow
def test_a_sorter_study(make_saved, tiny_checkpoint, tmp_path):
    from spikeinterface.benchmark import SorterStudy

    recording, truth = make_saved([6.0])
    parameters = {"sorter_name": "huidurep", "model": str(tiny_checkpoint)}
    cases = {"ours": {"label": "ours", "dataset": "toy", "params": parameters}}
    study = SorterStudy.create(tmp_path / "study", datasets={"toy": (recording, truth)}, cases=cases)
    study.run()
    study.compute_results(exhaustive_gt=True)
    performance = study.get_performance_by_unit()
    assert len(performance) == 3
    assert performance["accuracy"].mean() > 0.6


@pytest.mark.slow
def test_many_recordings_are_sorted_by_the_workers_of_a_dask_cluster(make_saved, tiny_checkpoint, tmp_path):
    distributed = pytest.importorskip("distributed")
    recordings = [make_saved([3.0])[0] for _ in range(2)]
    jobs = [
        {
            "sorter_name": "huidurep",
            "recording": recording,
            "folder": tmp_path / f"job{number}",
            "model": str(tiny_checkpoint),
        }
        for number, recording in enumerate(recordings)
    ]
    # The workers must know the sorter.
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        client.run(import_module, "huidurep_hf")
        run_sorter_jobs(jobs, engine="dask", engine_kwargs={"client": client})
    for number in range(2):
        result = SortingResult.load(tmp_path / f"job{number}" / "sorter_output" / "result")
        assert result.provenance["recording"]["num_samples"] == [recordings[number].get_num_samples()]

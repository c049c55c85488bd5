"""From two recordings of the same neurons to tracked units: through the command line, and from true spikes."""

import json

import numpy as np
import pandas as pd
import pytest
from spikeinterface.core import generate_ground_truth_recording, load

from huidurep_hf import SpikeSorter, track_units, unit_fingerprints
from huidurep_hf.cli.main import main
from huidurep_hf.curation.applying import apply_curation
from huidurep_hf.curation.decisions import make_curation
from huidurep_hf.sorting.encoder import SpikeEncoder
from huidurep_hf.sorting.output.fingerprint_table import FINGERPRINTS_FILE, UnitFingerprints
from huidurep_hf.sorting.output.result import SortingResult

RATE, SECONDS = 20000.0, 8.0


@pytest.fixture(scope="module")
def sorter():
    return SpikeSorter.from_pretrained("huidurep/base", device="cpu")


@pytest.fixture(scope="module")
def days():
    """Two sessions of one tetrode and the same four neurons: `(recording, true sorting)` of each."""
    recording, truth = generate_ground_truth_recording(
        durations=[2 * SECONDS],
        num_channels=4,
        num_units=4,
        sampling_frequency=RATE,
        noise_kwargs={"noise_levels": 3.0},
        seed=4,
    )
    recording = recording.save(format="memory", sharedmem=False, progress_bar=False)
    half = round(SECONDS * RATE)
    spans = [(0, half), (half, 2 * half)]
    return [(recording.frame_slice(*span), truth.frame_slice(*span)) for span in spans]


@pytest.fixture(scope="module")
def folders(sorter, days, tmp_path_factory):
    root = tmp_path_factory.mktemp("days")
    for day, (recording, _) in enumerate(days):
        sorter.sort(recording, output_folder=root / f"day{day}")
    return [root / "day0", root / "day1"]


@pytest.mark.slow
def test_command_follows_the_units_of_two_sorts(folders, days, tmp_path, capsys):
    from spikeinterface.comparison import compare_sorter_to_ground_truth

    output = tmp_path / "tracked"
    assert main(["track", *map(str, folders), "--output", str(output)]) == 0
    printed = capsys.readouterr().out
    assert "day0: " in printed and "displaced by 0 um" in printed and "units.csv" in printed
    table = pd.read_csv(output / "units.csv")
    # Of results there are sortings as well, for SpikeInterface.
    for session, folder in enumerate(folders):
        sorting, result = load(output / "sortings" / folder.name), SortingResult.load(folder)
        assert sorting.to_spike_vector().tolist() == result.sorting.to_spike_vector().tolist()
        own = table[table["session"] == session]
        assert sorting.get_property("global_unit").tolist() == own["global_unit"].tolist()
    assert "neurons are in more than one session" in (output / "report.html").read_text()
    neurons = []
    for day, (folder, (_, truth)) in enumerate(zip(folders, days)):
        found = compare_sorter_to_ground_truth(truth, SortingResult.load(folder).sorting, exhaustive_gt=True)
        own = table[table["session"] == day].set_index("unit")["global_unit"]
        neurons.append({true: own[unit] for true, unit in found.hungarian_match_12.items() if unit != -1})
    assert len(neurons[0]) >= 3
    assert neurons[0] == neurons[1]


@pytest.mark.slow
def test_mistakes_are_one_line(folders, tmp_path, capsys):
    output = ["--output", str(tmp_path / "tracked")]
    assert main(["track", str(folders[0]), *output]) == 2
    assert "Got 1 session(s); give two or more" in capsys.readouterr().err
    assert main(["track", str(folders[0]), str(tmp_path), *output]) == 2
    assert "has no fingerprints.parquet" in capsys.readouterr().err
    assert main(["track", *map(str, folders), *output, "--min-probability", "2"]) == 2
    assert "min_probability=2; it must be between 0 and 0.999" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_fingerprints_of_a_result(folders):
    result = SortingResult.load(folders[0])
    table, num_units = result.fingerprints, len(result.templates)
    assert table.unit_ids.tolist() == list(range(num_units))
    assert table.num_spikes.sum(axis=1).tolist() == list(result.sorting.count_num_spikes_per_unit().values())
    assert np.abs(np.diff(table.num_spikes, axis=1)).max() <= 1
    assert table.num_averaged.max() <= 100 and table.num_embedded.max() <= 100
    # Of about 2 kB for each unit with four channels.
    assert (folders[0] / FINGERPRINTS_FILE).stat().st_size < 40_000
    # The whole and the two halves are one neuron, and so is the template of the result.
    troughs = table.template.min(axis=(2, 3))
    np.testing.assert_allclose(troughs[:, 0], troughs[:, 1], rtol=0.15)
    np.testing.assert_allclose(troughs.mean(axis=1), result.templates.min(axis=(1, 2)), rtol=0.15)
    assert (table.correlogram[:, :, 1:] >= 0).all()
    described = json.loads((folders[0] / "provenance.json").read_text())
    assert table.description["model"] == described["model"]["weights_sha256"]
    curated = apply_curation(result, make_curation(num_units, merges=[[0, 1]]))
    assert len(curated.fingerprints) == num_units - 1
    assert curated.fingerprints.unit_ids.tolist() == list(range(num_units - 1))


@pytest.mark.slow
def test_fingerprints_of_true_spikes(sorter, days, folders, tmp_path):
    encoder = SpikeEncoder(sorter.model, sorter.feature_extractor)
    tables = [unit_fingerprints(recording, truth, encoder) for recording, truth in days]
    tracked = track_units(tables)
    numbers = tracked.table.groupby("unit")["global_unit"].nunique()
    assert (numbers == 1).all() and tracked.num_neurons == len(numbers)
    loaded = UnitFingerprints.load(tables[0].save(tmp_path / "truth.parquet"))
    assert loaded.unit_ids.tolist() == tables[0].unit_ids.tolist()
    np.testing.assert_array_equal(loaded.embedding, tables[0].embedding)
    np.testing.assert_allclose(loaded.template, tables[0].template, atol=0.02)
    # A sort and the truth of the same neurons are comparable.
    assert track_units([SortingResult.load(folders[0]), tables[1]]).pairs["is_match"].sum() >= 3


@pytest.mark.slow
def test_sorting_without_spikes(sorter, days):
    recording, truth = days[0]
    silent = truth.select_units([])
    table = unit_fingerprints(recording, silent, SpikeEncoder(sorter.model, sorter.feature_extractor))
    assert len(table) == 0
    assert len(track_units([table, table]).table) == 0

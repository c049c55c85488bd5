import re
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.io import loadmat
from spikeinterface.core import load_sorting_analyzer
from spikeinterface.extractors import read_phy
from spikeinterface.preprocessing import scale

from huidurep_hf.cli.main import main
from huidurep_hf.export.exporters import Source, export_result
from huidurep_hf.export.spike_times import times_of_recording_s
from huidurep_hf.sorting.output.result import SortingResult

from ..made_results import make_recording, make_result

CASES = {
    "plain": {"num_units": 4, "num_spikes": 800},
    "no units": {"num_units": 0, "num_spikes": 50},
    "one unit": {"num_units": 1, "num_spikes": 300},
    "300 units": {"num_units": 300, "num_spikes": 6000},
    "shanks": {"num_units": 6, "num_spikes": 600, "num_shanks": 2},
    "segments": {"num_units": 3, "num_spikes": 900, "seconds": (20.0, 10.0), "start_times_s": (100.0, 300.0)},
}

# For the formats that need traces.
SHORT_CASES = {
    "no units": {"num_units": 0, "num_spikes": 50, "seconds": (4.0,)},
    "one unit": {"num_units": 1, "num_spikes": 60, "seconds": (4.0,)},
    "shanks": {"num_units": 4, "num_spikes": 300, "num_shanks": 2, "seconds": (4.0,)},
    "segments": {"num_units": 3, "num_spikes": 300, "seconds": (3.0, 2.0), "start_times_s": (100.0, 300.0)},
    "trials of shanks": {
        "num_units": 4,
        "num_spikes": 300,
        "num_shanks": 2,
        "seconds": (2.0, 2.0, 1.0),
        "num_embedded": 200,
    },
}


@pytest.fixture(params=list(CASES))
def result(request):
    return make_result(**CASES[request.param])


@pytest.fixture(scope="module")
def sorted_recording(generated, tiny_checkpoint):
    """A result of a real sort and the recording it is of."""
    from huidurep_hf import SpikeSorter

    return SpikeSorter.from_pretrained(tiny_checkpoint, device="cpu").sort(generated[0]), generated[0]


@pytest.fixture(scope="module", params=list(SHORT_CASES))
def with_traces(request):
    """A made result, and a recording that it could be of."""
    made = make_result(**SHORT_CASES[request.param])
    return made, make_recording(made)


def times_of(result, unit):
    return times_of_recording_s(result)[(result.events["unit"] == unit).to_numpy()]


def test_times_follow_the_start_of_the_recording():
    spaced = make_result(**CASES["segments"])
    times, segments = times_of_recording_s(spaced), spaced.events["segment"].to_numpy()
    assert times[segments == 0].min() >= 100 and times[segments == 0].max() <= 120
    assert times[segments == 1].min() >= 300 and times[segments == 1].max() <= 310
    # Trials that all start at 0 follow one another.
    trials = make_result(**{**CASES["segments"], "start_times_s": (0.0, 0.0)})
    assert times_of_recording_s(trials)[segments == 1].min() >= 20


@pytest.mark.parametrize("second_start_s", [20.0 - 1e-12, 19.99985])
def test_segments_that_touch_keep_their_clock(second_start_s):
    # By rounding, or as the true rate is not the nominal one; the last spike is before the second segment.
    made = make_result(**{**CASES["segments"], "start_times_s": (0.0, second_start_s), "num_spikes": 30})
    np.testing.assert_array_equal(times_of_recording_s(made), made.events["time_s"])


def test_an_export_that_fails_leaves_nothing(tmp_path, monkeypatch):
    made = make_result(**CASES["plain"])

    def full(self, path, **kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(OSError, match="No space left"):
        export_result(made, tmp_path / "tables", "parquet")
    assert list(tmp_path.iterdir()) == []


def test_matlab(result, tmp_path):
    read = loadmat(export_result(result, tmp_path / "result.mat", "matlab"))
    is_sorted = (result.events["unit"] >= 0).to_numpy()
    np.testing.assert_allclose(read["spike_time_s"].ravel(), times_of_recording_s(result)[is_sorted])
    np.testing.assert_array_equal(read["spike_unit"].ravel(), result.events["unit"][is_sorted])
    assert len(read["unit_label"]) == len(result.units) and len(read["channel_name"]) == len(result.channels)


def test_parquet(result, tmp_path):
    folder = export_result(result, tmp_path / "tables", "parquet")
    spikes = pd.read_parquet(folder / "spikes.parquet")
    assert len(spikes) == (result.events["unit"] >= 0).sum()
    if len(spikes):
        np.testing.assert_array_equal(spikes["embedding"].iloc[0], result.embeddings[0])
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "units.parquet"), result.units)


@pytest.mark.slow
def test_pynapple(result, tmp_path):
    pynapple = pytest.importorskip("pynapple")
    group = pynapple.load_file(str(export_result(result, tmp_path / "units.npz", "pynapple")))
    assert list(group.keys()) == result.units["unit"].tolist()
    for unit in list(group.keys())[:3]:
        np.testing.assert_allclose(group[unit].times(), times_of(result, unit))
        assert group["label"][unit] == result.units["label"][unit]


@pytest.mark.slow
def test_nwb(result, tmp_path):
    pytest.importorskip("pynwb")
    from nwbinspector import Importance, inspect_nwbfile
    from pynwb import NWBHDF5IO

    subject = {"subject_id": "M1", "species": "Mus musculus", "sex": "F", "age": "P90D"}
    source = Source(session_start=datetime.fromisoformat("2026-01-31T14:00:00+01:00"), subject=subject)
    path = export_result(result, tmp_path / "result.nwb", "nwb", source)
    assert not [said for said in inspect_nwbfile(nwbfile_path=str(path)) if said.importance == Importance.CRITICAL]
    with NWBHDF5IO(str(path), "r") as file:
        read = file.read()
        assert len(read.electrodes) == len(result.channels)
        units = read.units.to_dataframe() if read.units is not None else pd.DataFrame()
        assert len(units) == len(result.units)
        for unit in range(min(len(units), 3)):
            np.testing.assert_allclose(units["spike_times"][unit], times_of(result, unit))
            assert len(units["spike_probability"][unit]) == len(times_of(result, unit))
            assert units["spike_location_um"][unit].shape == (len(times_of(result, unit)), 2)
            assert units["label"][unit] == result.units["label"][unit]


@pytest.mark.slow
def test_analyzer_of_a_sort(sorted_recording, tmp_path):
    result, recording = sorted_recording
    folder = export_result(result, tmp_path / "analyzer", "analyzer", Source(recording))
    analyzer = load_sorting_analyzer(folder)
    assert analyzer.get_num_units() == len(result.units)
    assert analyzer.sorting.get_property("label").tolist() == result.units["label"].tolist()
    assert analyzer.has_extension("templates") and analyzer.has_extension("correlograms")


@pytest.mark.slow
def test_analyzer(with_traces, tmp_path):
    result, recording = with_traces
    analyzer = load_sorting_analyzer(export_result(result, tmp_path / "analyzer", "analyzer", Source(recording)))
    assert analyzer.sorting.get_property("label").tolist() == result.units["label"].tolist()
    assert analyzer.get_num_segments() == recording.get_num_segments()
    for name in ("segment_index", "sample_index", "unit_index"):
        expected = result.sorting.to_spike_vector()[name]
        np.testing.assert_array_equal(analyzer.sorting.to_spike_vector()[name], expected)
    for unit, (channel, group) in enumerate(zip(result.units["channel"], result.units["group"])):
        peak = np.abs(analyzer.get_extension("templates").get_unit_template(unit)).max(axis=0).argmax()
        assert recording.channel_ids[peak] == channel and recording.get_channel_groups()[peak] == group


@pytest.mark.slow
def test_spikeinterface_gui_by_the_command(tmp_path, capsys):
    made = make_result(**SHORT_CASES["segments"])
    folder, out = made.save(tmp_path / "result"), tmp_path / "gui"
    make_recording(made).save(folder=tmp_path / "recording", format="binary", progress_bar=False, verbose=False)
    arguments = ["export", str(folder), str(out), "--to", "spikeinterface-gui"]
    assert main([*arguments, "--recording", str(tmp_path / "recording")]) == 0
    assert f"sigui {out}" in capsys.readouterr().out
    analyzer = load_sorting_analyzer(out)
    # The first are what the window does not open without, or computes first; the others are its views.
    needed = ("random_spikes", "templates", "unit_locations", "noise_levels")
    views = ("waveforms", "spike_amplitudes", "correlograms", "template_similarity")
    assert all(analyzer.has_extension(name) for name in needed + views)
    assert analyzer.has_recording()
    with pytest.raises(ValueError, match="no unit, and spikeinterface-gui opens none without"):
        export_result(make_result(0, 50), tmp_path / "none", "spikeinterface-gui")


@pytest.mark.slow
def test_phy_of_a_sort(sorted_recording, tmp_path):
    model_of = pytest.importorskip("phylib.io.model")
    result, recording = sorted_recording
    folder = export_result(result, tmp_path / "phy", "phy", Source(recording))
    model = model_of.load_model(folder / "params.py")
    assert model.n_spikes == (result.events["unit"] >= 0).sum()
    assert model.metadata["group"] == dict(enumerate(result.units["label"]))
    np.testing.assert_array_equal(model.spike_clusters, result.sorting.to_spike_vector()["unit_index"])


@pytest.mark.slow
def test_phy(with_traces, tmp_path):
    model_of = pytest.importorskip("phylib.io.model")
    result, recording = with_traces
    if len(result.units) == 0:
        with pytest.raises(ValueError, match="The result has no unit, and phy opens none without"):
            export_result(result, tmp_path / "phy", "phy", Source(recording))
        return
    folder = export_result(result, tmp_path / "phy", "phy", Source(recording))
    spikes = result.sorting.to_spike_vector()
    # Segments follow one another, sample by sample.
    lengths = result.provenance["recording"]["num_samples"]
    samples = spikes["sample_index"] + np.concatenate([[0], np.cumsum(lengths)])[spikes["segment_index"]]
    model = model_of.load_model(folder / "params.py")
    np.testing.assert_array_equal(model.spike_samples, samples)
    np.testing.assert_array_equal(model.spike_clusters, spikes["unit_index"])
    assert model.metadata["group"] == dict(enumerate(result.units["label"]))
    assert model.traces.shape == (sum(lengths), len(result.channels))
    np.testing.assert_array_equal(model.channel_shanks, result.channels["shank"])
    for unit, channel in enumerate(result.units["channel"]):
        assert result.channels["channel"][model.get_template(unit).best_channel] == channel
    events = result.events[result.events["unit"] >= 0]
    np.testing.assert_array_equal(model.spike_attributes["probability"], events["probability"])
    np.testing.assert_array_equal(model.spike_attributes["positions"], events[["x_um", "y_um"]])
    embeddings = np.load(folder / "embeddings.npy")
    np.testing.assert_array_equal(embeddings[events["embedded"]], result.embeddings)
    assert np.isnan(embeddings[~events["embedded"]]).all() and len(embeddings) == len(events)
    sorting = read_phy(folder)
    assert sorting.get_property("quality").tolist() == result.units["label"].tolist()
    assert sorting.get_property("group").tolist() == result.units["group"].tolist()
    for unit in sorting.unit_ids:
        expected = samples[spikes["unit_index"] == unit]
        np.testing.assert_array_equal(np.sort(sorting.get_unit_spike_train(unit, segment_index=0)), expected)


@pytest.mark.parametrize(("to", "name", "module"), [("nwb", "a.nwb", "pynwb"), ("pynapple", "a.npz", "pynapple")])
def test_the_extra_of_a_format_is_named(tmp_path, monkeypatch, capsys, to, name, module):
    folder = make_result(2, 200).save(tmp_path / "result")
    monkeypatch.setitem(sys.modules, module, None)
    assert main(["export", str(folder), str(tmp_path / name), "--to", to]) == 2
    error = capsys.readouterr().err.strip()
    assert f'install the extra: pip install "huidurep-hf[{to}]".' in error and len(error.splitlines()) == 1
    assert not (tmp_path / name).exists()


def test_a_result_is_not_taken_for_a_model(tmp_path, capsys):
    folder = make_result(2, 200).save(tmp_path / "result")
    assert main(["export", str(folder), str(tmp_path / "out")]) == 2
    assert "is a result; say with --to which of analyzer, spikeinterface-gui, phy" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("to", "name", "message"),
    [
        ("phy", "phy", "needs the traces; give the recording that was sorted with --recording"),
        ("nwb", "a.nwb", "--session-start"),
        ("matlab", "a.m", "Got the name a.m for the export; give one that ends in .mat"),
        ("pynapple", "absent/a.npz", "There is no folder"),
        ("parquet", "", "exists already"),
    ],
)
def test_what_is_missing_is_said(tmp_path, to, name, message, capsys):
    pytest.importorskip("pynwb")
    folder = make_result(2, 200).save(tmp_path / "result")
    assert main(["export", str(folder), str(tmp_path / name), "--to", to]) == 2
    error = capsys.readouterr().err
    assert re.search(re.escape(message), error) and len(error.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_nwb_by_the_command(tmp_path, capsys):
    pynwb = pytest.importorskip("pynwb")
    folder = make_result(2, 200).save(tmp_path / "result")
    arguments = ["export", str(folder), str(tmp_path / "a.nwb"), "--to", "nwb", "--session-start", "2026-01-31T14:00"]
    assert main([*arguments, "--subject", "name=Max"]) == 2
    assert "Got --subject 'name=Max'" in capsys.readouterr().err
    assert main([*arguments, "--subject", "subject_id=M1", "species=Mus musculus"]) == 0
    with pynwb.NWBHDF5IO(str(tmp_path / "a.nwb"), "r") as file:
        assert file.read().subject.species == "Mus musculus"


@pytest.mark.slow
def test_another_recording_is_refused(sorted_recording, generated, tmp_path):
    result, recording = sorted_recording
    with pytest.raises(ValueError, match="num_samples, ends_sha256 differ"):
        export_result(result, tmp_path / "analyzer", "analyzer", Source(recording.frame_slice(0, 30000)))
    # Another one of the same size.
    with pytest.raises(ValueError, match="not the one that was sorted: ends_sha256 differ"):
        export_result(result, tmp_path / "analyzer", "analyzer", Source(scale(recording, gain=2.0)))


@pytest.mark.slow
def test_traces_of_a_low_rate_are_filtered_as_they_were_sorted(tmp_path):
    made = make_result(**SHORT_CASES["one unit"])
    recording = make_recording(made)
    recording._sampling_frequency = made.provenance["recording"]["sampling_rate"] = 10_000.0
    for segment in recording.segments:
        segment.sampling_frequency = 10_000.0
    made = SortingResult.load(made.save(tmp_path / "result"))
    analyzer = load_sorting_analyzer(export_result(made, tmp_path / "analyzer", "analyzer", Source(recording)))
    assert analyzer.sampling_frequency == 10_000.0 and analyzer.has_extension("templates")


def test_the_command_exports_a_result(tmp_path, capsys):
    folder = make_result(2, 200).save(tmp_path / "result")
    assert main(["export", str(folder), str(tmp_path / "spikes.mat"), "--to", "matlab"]) == 0
    assert str(tmp_path / "spikes.mat") in capsys.readouterr().out
    assert SortingResult.load(folder).units["unit"].tolist() == [0, 1]


@pytest.mark.slow
def test_the_five_lines_of_each_tool_work(sorted_recording, tmp_path, monkeypatch):
    result, recording = sorted_recording
    page = (Path(__file__).parents[2] / "docs" / "results.md").read_text()
    section = re.search(r"<!-- tools begin -->(.*)<!-- tools end -->", page, flags=re.DOTALL)[1]
    names = {"analyzer": "mine_analyzer", "phy": "mine_phy", "pynapple": "mine.npz", "nwb": "mine.nwb"}
    names |= {"parquet": "mine_tables", "matlab": "mine.mat"}
    source = Source(recording, datetime.fromisoformat("2026-01-31T14:00:00+01:00"), {"subject_id": "M1"})
    monkeypatch.chdir(tmp_path)
    num_spikes = (result.events["unit"] >= 0).sum()
    examples = re.findall(r"after `--to (\w+)`.*?```python\n(.*?)```", section, flags=re.DOTALL)
    assert [to for to, _ in examples] == list(names)
    for to, code in examples:
        assert len([line for line in code.splitlines() if line.strip()]) <= 5
        export_result(result, names[to], to, source)
        values = {}
        exec(code, values)
        if to in ("phy", "matlab", "parquet"):
            assert len(values["spikes" if to == "parquet" else "units"]) == num_spikes, to
        elif to == "pynapple":
            assert len(values["good"]) == (result.units["label"] == "good").sum()
        elif to == "nwb":
            assert len(values["table"]) == len(result.units) and len(values["spike_times_s"])
        else:
            assert len(values["templates"]) == len(values["is_good"]) == len(result.units)

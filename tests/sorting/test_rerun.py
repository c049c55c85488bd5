import json
import os

import pytest
from spikeinterface.core import load

from huidurep_hf.cli.main import main
from huidurep_hf.recording.sources.reopening import describe_source, reopen
from huidurep_hf.sorting.output.provenance import describe_recording
from huidurep_hf.sorting.output.result import SortingResult
from huidurep_hf.sorting.rerun import rerun


@pytest.fixture(scope="module")
def saved(sorter, tetrode, tmp_path_factory):
    """A recording in a folder of SpikeInterface's, three of its channels with their probe, and its result."""
    folder = tmp_path_factory.mktemp("rerun")
    tetrode[0].save(folder=folder / "recording", format="binary", progress_bar=False, verbose=False)
    recording = load(folder / "recording")
    recording = recording.select_channels(recording.channel_ids[:3])
    sorter.sort(recording, output_folder=folder / "result", detect_threshold=5.5, seed=7)
    return folder


@pytest.mark.slow
def test_a_rerun_gives_the_same_spikes(saved, capsys):
    assert main(["rerun", str(saved / "result"), str(saved / "again"), "--quiet"]) == 0
    first, again = (SortingResult.load(saved / name) for name in ("result", "again"))
    assert f"the same {first.sorting.to_spike_vector().size:,}" in capsys.readouterr().out
    assert first.events.equals(again.events) and first.provenance["counts"]["units"] >= 1
    assert again.provenance["parameters"] == first.provenance["parameters"]
    assert again.provenance["recording"] == first.provenance["recording"]
    assert "used: " in (saved / "again" / "log.txt").read_text() and (saved / "again" / "report.html").is_file()


@pytest.mark.slow
def test_provenance_names_files_with_their_hashes(saved):
    provenance = json.loads((saved / "result" / "provenance.json").read_text())
    (traces,) = [one for one in provenance["recording"]["files"] if one["path"].endswith(".raw")]
    assert traces["bytes"] == os.path.getsize(traces["path"]) == 4 * 4 * 240000
    assert {"config.json", "model.safetensors"} <= set(provenance["model"]["files_sha256"])
    assert provenance["keep_noise"] is False and provenance["used"]["memory_gb"] > 0


@pytest.mark.slow
def test_another_recording_is_refused(saved, tetrode, capsys):
    path = next((saved / "recording").glob("*.raw"))
    original = path.read_bytes()
    try:
        # In the middle of the last megabyte; the traces' own ends are the same.
        changed = bytearray(original)
        changed[-500_000] ^= 1
        path.write_bytes(changed)
        assert main(["rerun", str(saved / "result")]) == 2
        assert "has changed since it was sorted" in capsys.readouterr().err
        path.write_bytes(original[: len(original) // 2])
        assert main(["rerun", str(saved / "result")]) == 2
        assert "huidurep: The recording" in capsys.readouterr().err
    finally:
        path.write_bytes(original)
    with pytest.raises(ValueError, match=r"not the one that was sorted \(num_channels 3 then, 4 now"):
        rerun(saved / "result", recording=tetrode[0])


@pytest.mark.slow
def test_traces_in_memory_have_to_be_given(tetrode, tetrode_result, tmp_path):
    assert describe_source(tetrode[0]) == {"files": [], "spikeinterface_json": None}
    tetrode_result.save(tmp_path / "result")
    with pytest.raises(ValueError, match="from traces in memory; give the recording"):
        rerun(tmp_path / "result")
    assert rerun(tmp_path / "result", recording=tetrode[0]).is_same


def test_a_description_that_names_code_is_refused():
    text = json.dumps({"class": "subprocess.Popen", "module": "subprocess", "version": "1", "kwargs": {"args": "ls"}})
    with pytest.raises(ValueError, match="only classes that read recordings"):
        reopen(text)


def test_recordings_in_memory_differ_by_their_layout(tetrode):
    recording = tetrode[0]
    same, moved, scaled = recording.clone(), recording.clone(), recording.clone()
    moved.set_dummy_probe_from_locations(2 * recording.get_channel_locations())
    scaled.set_channel_gains(0.5)
    hashes = [describe_recording(one)["layout_sha256"] for one in (recording, same, moved, scaled)]
    assert hashes[0] == hashes[1] and len(set(hashes)) == 3

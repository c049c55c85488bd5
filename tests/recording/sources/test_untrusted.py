"""Nothing that a path of a recording or sorting leads to has code run."""

import json
import pickle
import shutil

import numpy as np
import pytest
from spikeinterface.core import NumpySorting, load
from spikeinterface.preprocessing import bandpass_filter

from huidurep_hf.cli.main import main
from huidurep_hf.recording.sources.given import as_recording
from huidurep_hf.recording.sources.reading import read_recording, read_sorting
from huidurep_hf.recording.sources.untrusted import refuse_code


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.fixture
def ran(tmp_path):
    """Where evil code leaves its mark."""
    return tmp_path / "ran"


@pytest.fixture
def evil(ran):
    return pickle.dumps(Evil(ran))


@pytest.fixture
def folder(make_recording, tmp_path):
    return make_recording(num_samples=3000).save(folder=tmp_path / "saved", verbose=False) and tmp_path / "saved"


def refuse(path, ran, match):
    for read in (read_recording, read_sorting, as_recording, lambda path: as_recording({"path": str(path)})):
        with pytest.raises(ValueError, match=match) as error:
            read(path)
        assert "save(folder=...)" in str(error.value)
    assert not ran.exists()


@pytest.mark.parametrize("name", ["recording.pkl", "recording.pickle", "recording.PKL", "recording.json", "recording"])
def test_a_pickle_by_its_name_and_by_its_content(evil, ran, tmp_path, name):
    (tmp_path / name).write_bytes(evil)
    refuse(tmp_path / name, ran, "is a pickle")


def test_at_the_command_line(evil, ran, tmp_path, capsys):
    (tmp_path / "recording.pkl").write_bytes(evil)
    table = tmp_path / "table.jsonl"
    table.write_text(json.dumps({"recording": str(tmp_path / "recording.pkl")}))
    for arguments in (["sort", str(tmp_path / "recording.pkl")], ["embed", str(tmp_path / "recording.pkl")]):
        assert main([*arguments, str(tmp_path / "out")]) == 2
        assert "is a pickle" in capsys.readouterr().err
    assert main(["sort-table", str(table), str(tmp_path / "out")]) == 2
    assert "is a pickle" in (tmp_path / "out" / "failures.json").read_text()
    assert not ran.exists()


def test_a_sorting_to_compare_with(evil, ran, tmp_path, capsys):
    (tmp_path / "sorting.pkl").write_bytes(evil)
    code = extractor("builtins.open", file=str(ran), mode="w")
    (tmp_path / "sorting.json").write_text(json.dumps(code))
    for name, message in (("sorting.pkl", "is a pickle"), ("sorting.json", "names the class")):
        assert main(["compare", str(tmp_path / name), str(tmp_path / name)]) == 2
        assert message in capsys.readouterr().err
    assert not ran.exists()


@pytest.mark.parametrize("name", ["cached.pkl", "deeper/recording.pickle"])
def test_a_pickle_nested_in_a_folder(evil, ran, folder, name):
    (folder / "si_folder.json").unlink()
    (folder / "deeper").mkdir()
    (folder / name).write_bytes(evil)
    refuse(folder, ran, "is a pickle")


def test_numpy_files_of_objects_and_pickles_named_as_such(evil, ran, folder):
    np.save(folder / "properties" / "note.npy", np.array([Evil(ran)] * 4, dtype=object), allow_pickle=True)
    refuse(folder, ran, "note.npy holds Python objects")
    (folder / "properties" / "note.npy").write_bytes(evil)
    refuse(folder, ran, "note.npy holds Python objects")


@pytest.mark.slow
def test_numpy_files_named_as_provenance(ran, folder):
    np.save(folder / "properties" / "provenance.npy", np.array([Evil(ran)] * 4, dtype=object), allow_pickle=True)
    refuse(folder, ran, "provenance.npy holds Python objects")


@pytest.mark.slow
@pytest.mark.parametrize("linked", ["file", "folder"])
def test_links_that_hide_a_pickle(evil, ran, folder, tmp_path, linked):
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    if linked == "file":
        (hidden / "blob").write_bytes(evil)
        (folder / "properties" / "note.npy").symlink_to(hidden / "blob")
    else:
        shutil.rmtree(folder / "properties")
        (hidden / "note.npy").write_bytes(evil)
        (folder / "properties").symlink_to(hidden)
    refuse(folder, ran, "note.npy holds Python objects")


@pytest.mark.slow
def test_links_in_a_circle_end(folder):
    (folder / "again").symlink_to(folder)
    refuse_code(folder)


def test_json_that_leads_to_another_machine_or_has_no_bottom(ran, tmp_path):
    path = tmp_path / "recording.json"
    zarr = "spikeinterface.core.zarrextractors.ZarrRecordingExtractor"
    path.write_text(json.dumps(extractor(zarr, folder_path="s3://stranger/recording.zarr")))
    refuse(path, ran, "cannot be checked")
    path.write_text("[" * 100_000 + "]" * 100_000)
    refuse(path, ran, "nested too deeply")


def test_zarr_arrays_stored_as_pickles(make_recording, ran, tmp_path):
    import numcodecs
    import zarr

    path = tmp_path / "recording.zarr"
    make_recording(num_samples=3000).save(folder=path, format="zarr", verbose=False)
    root = zarr.open(str(path), mode="r+")
    root["properties"].create_dataset(
        "note", data=np.array([Evil(ran)] * 4, dtype=object), object_codec=numcodecs.Pickle()
    )
    ran.unlink(missing_ok=True)
    refuse(path, ran, "array stored as pickles")
    for described in [*path.rglob(".zarray"), *path.glob(".zmetadata")]:
        described.write_text(described.read_text().replace('"pickle"', '"p\\u0069ckle"'))
    refuse(path, ran, "array stored as pickles")


def extractor(name, **kwargs):
    return {
        "class": name,
        "module": name.split(".")[0],
        "version": "0.105.3",
        "kwargs": kwargs,
        "annotations": {},
        "properties": {},
        "relative_paths": False,
    }


def test_json_that_names_code(ran, tmp_path):
    path = tmp_path / "recording.json"
    for name, kwargs in {
        "builtins.open": {"file": str(ran), "mode": "w"},
        "subprocess.Popen": {"args": ["touch", str(ran)]},
        "spikeinterface.core.core_tools.read_python": {"path": str(tmp_path / "params.py")},
        "spikeinterface.core.loading.load": {"file_or_folder_or_dict": str(tmp_path / "any")},
        "spikeinterface.extractors.phykilosortextractors.PhySortingExtractor": {"folder_path": str(tmp_path)},
        "spikeinterface.core.binaryfolder.Unheard": {},
    }.items():
        path.write_text(json.dumps(extractor(name, **kwargs)))
        refuse(path, ran, "names the class")
        # As the parent of a harmless step, too.
        outer = extractor("spikeinterface.preprocessing.filter.BandpassFilterRecording", recording=extractor(name))
        path.write_text(json.dumps(outer))
        refuse(path, ran, "names the class")


def test_json_that_leads_to_pickles(evil, ran, folder, tmp_path):
    path = tmp_path / "recording.json"
    binary = "spikeinterface.core.binaryfolder.BinaryFolderRecording"
    path.write_text(json.dumps(extractor(binary, folder_path=str(tmp_path / "elsewhere.pkl"))))
    refuse(path, ran, "leads to the pickle")
    (folder / "properties" / "note.npy").write_bytes(evil)
    for place in (str(folder), folder.name):
        path.write_text(json.dumps(extractor(binary, folder_path=place)))
        refuse(path, ran, "note.npy holds Python objects")
    shutil.rmtree(folder / "properties")
    inner = json.loads((folder / "si_folder.json").read_text())
    inner["kwargs"]["folder_path"] = "../other"
    (folder / "si_folder.json").write_text(json.dumps(inner))
    other = tmp_path / "other"
    other.mkdir()
    (other / "cached.pkl").write_bytes(evil)
    refuse(path, ran, "is a pickle")


def test_the_folder_of_a_sorter(ran, tmp_path):
    folder = tmp_path / "run"
    (folder / "sorter_output").mkdir(parents=True)
    (folder / "sorter_output" / "params.py").write_text(f"open({str(ran)!r}, 'w')")
    for name in ("spikeinterface_params.json", "spikeinterface_log.json"):
        (folder / name).write_text('{"sorter_name": "kilosort4"}')
    refuse(folder, ran, "folder of a sorter")


@pytest.mark.slow
def test_what_spikeinterface_saves_is_read(folder, tmp_path):
    filtered = bandpass_filter(load(folder), freq_min=300.0, freq_max=3000.0)
    filtered.set_property("area", np.array(["CA1"] * 4))
    filtered.set_property("empty", np.zeros((4, 0)))
    filtered.dump_to_json(tmp_path / "lazy.json", relative_to=tmp_path)
    filtered.save(folder=tmp_path / "again", verbose=False)
    filtered.save(folder=tmp_path / "again.zarr", format="zarr", verbose=False)
    for name in ("lazy.json", "again", "again.zarr"):
        assert read_recording(tmp_path / name).get_num_channels() == 4
    assert list(read_recording(tmp_path / "again").get_property("area")) == ["CA1"] * 4
    sorting = NumpySorting.from_samples_and_labels([np.array([5, 9])], [np.array([0, 1])], 30000.0)
    sorting.save(folder=tmp_path / "sorting")
    assert read_sorting(tmp_path / "sorting").get_num_units() == 2


@pytest.mark.slow
def test_provenance_that_is_not_opened_is_no_hindrance(evil, ran, folder):
    (folder / "provenance.pkl").write_bytes(evil)
    assert read_recording(folder).get_num_channels() == 4
    assert not ran.exists()


def test_samples_that_begin_like_a_pickle_are_samples(tmp_path):
    path = tmp_path / "trial.raw"
    path.write_bytes(b"\x80\x04" + bytes(798))
    raw = {"sampling_rate": 15000.0, "num_channels": 4, "dtype": "int16"}
    assert read_recording(path, probe="tetrode", raw=raw).get_num_samples() == 100


def test_json_files_that_lead_to_each_other_are_checked_once(tmp_path):
    binary = "spikeinterface.core.binaryfolder.BinaryFolderRecording"
    for name, other in (("one", "two"), ("two", "one")):
        (tmp_path / f"{name}.json").write_text(json.dumps(extractor(binary, folder_path=f"{other}.json")))
    refuse_code(tmp_path / "one.json")

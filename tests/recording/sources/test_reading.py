import numpy as np
import pytest
from spikeinterface.core import NumpySorting

from huidurep_hf.recording.scan import prepare
from huidurep_hf.recording.sources.reading import read_recording, read_sorting

RAW = {"sampling_rate": 15000.0, "num_channels": 4, "dtype": "int16"}


@pytest.fixture
def raw_file(tmp_path):
    path = tmp_path / "trial.raw"
    np.arange(400, dtype="int16").reshape(100, 4).tofile(path)
    return path


def test_raw_binary(raw_file):
    recording = read_recording(raw_file, probe="tetrode", raw={**RAW, "gain_uv": 0.5})
    assert recording.get_traces()[1].tolist() == [4, 5, 6, 7]
    assert recording.get_channel_gains().tolist() == [0.5] * 4
    assert recording.get_num_samples() == 100


def test_numbers_of_a_table_with_gaps_are_whole(raw_file):
    assert read_recording(raw_file, probe="tetrode", raw={**RAW, "num_channels": 4.0}).get_num_channels() == 4
    with pytest.raises(ValueError, match="4.5 channels.*channels are whole"):
        read_recording(raw_file, probe="tetrode", raw={**RAW, "num_channels": 4.5})


@pytest.mark.parametrize("dtype", [">i2", "<i2", ">u2", ">i4", ">f4", ">f8", "float32"])
def test_raw_binary_in_either_order_of_bytes(tmp_path, dtype):
    counts = np.abs(np.random.default_rng(0).normal(0, 100, (3000, 4))).astype("int16")
    counts.astype(dtype).tofile(tmp_path / "trial.dat")
    recording = read_recording(tmp_path / "trial.dat", probe="tetrode", raw={**RAW, "dtype": dtype, "gain_uv": 1.0})
    np.testing.assert_array_equal(recording.get_traces(), counts)
    assert prepare(recording).noise_levels.min() > 10


@pytest.mark.slow
@pytest.mark.parametrize("name", ["binary", "recording.zarr", "recording.json"])
def test_spikeinterface_formats(make_recording, tmp_path, name):
    recording = make_recording(num_samples=1000)
    path = tmp_path / name
    if name == "recording.json":
        saved = recording.save(folder=tmp_path / "beside", verbose=False)
        saved.dump_to_json(path)
    else:
        recording.save(folder=path, format="zarr" if "zarr" in name else "binary", verbose=False)
    read = read_recording(path)
    np.testing.assert_array_equal(read.get_traces(), recording.get_traces())
    assert read.has_probe()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (None, "--sampling-rate, --num-channels and --dtype"),
        ({**RAW, "num_channels": 7}, "800 bytes.*multiple of 14"),
        ({**RAW, "dtype": "int17"}, "dtype 'int17'"),
        ({**RAW, "sampling_rate": 0.0}, "must be > 0"),
        ({**RAW, "offset_uv": 3.0}, "--gain-uv"),
    ],
)
def test_wrong_raw_layouts_are_refused(raw_file, raw, message):
    with pytest.raises(ValueError, match=message):
        read_recording(raw_file, raw=raw)


def test_sortings_are_read_where_sorts_leave_them(tmp_path):
    sorting = NumpySorting.from_samples_and_labels([np.array([5, 9])], [np.array([0, 1])], 30000.0)
    sorting.save(folder=tmp_path / "result" / "sorting")
    for folder in ("result", "result/sorting"):
        assert read_sorting(tmp_path / folder).get_num_units() == 2
    with pytest.raises(ValueError, match="absent does not exist"):
        read_sorting(tmp_path / "absent")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match="Cannot read .*folder.*result folder of `huidurep sort`"):
        read_sorting(tmp_path / "folder")


def test_unreadable_paths_are_refused(tmp_path, raw_file):
    with pytest.raises(ValueError, match="does not exist"):
        read_recording(tmp_path / "absent")
    (tmp_path / "notes.txt").write_text("no recording")
    with pytest.raises(ValueError, match="notes.txt"):
        read_recording(tmp_path / "notes.txt")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match="Cannot read"):
        read_recording(tmp_path / "folder")
    with pytest.raises(ValueError, match="--dtype.*raw binary file, but"):
        read_recording(tmp_path / "folder", raw={"dtype": "int16"})
    (tmp_path / "empty.raw").touch()
    with pytest.raises(ValueError, match="0 bytes"):
        read_recording(tmp_path / "empty.raw", raw=RAW)
    (tmp_path / "broken.nwb").write_text("no HDF5")
    with pytest.raises((ValueError, ImportError), match="broken.nwb"):
        read_recording(tmp_path / "broken.nwb")

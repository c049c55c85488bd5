import pickle
import shutil
from datetime import datetime, timezone

import numpy as np
import pytest
from spikeinterface.core import NumpyRecording

from huidurep_hf.recording.scan import prepare
from huidurep_hf.recording.sources.formats import find_format, format_names
from huidurep_hf.recording.sources.reading import read_recording

from . import recording_files as files


def assert_reads(path, values, expected=None, **given):
    """The counts are read, as what they are."""
    recording = read_recording(path, **given)
    traces = recording.get_traces()
    # Intan's samples are unsigned.
    shift = 32768 if traces.dtype == "uint16" else 0
    np.testing.assert_array_equal(traces.astype("int64") - shift, values)
    assert expected is None or recording.get_annotation("format") == expected
    return recording


def test_a_spikeglx_file_is_its_stream(tmp_path):
    path, values = files.write_spikeglx(tmp_path / "run")
    alone = assert_reads(path, values, "spikeglx")
    assert alone.has_probe() and alone.get_channel_gains()[0] == pytest.approx(2.34375)
    assert_reads(tmp_path / "run", values, "spikeglx")
    lf_path, lf_values = files.write_spikeglx(tmp_path / "run", "lf", 2500.0)
    assert_reads(path, values)
    assert_reads(path.with_suffix(".meta"), values)
    assert assert_reads(lf_path, lf_values).get_sampling_frequency() == 2500
    assert_reads(tmp_path / "run", lf_values, stream="imec0.lf")
    with pytest.raises(ValueError, match="holds 2 streams; choose one with --stream, by name or id: imec0.ap: 384 "):
        read_recording(tmp_path / "run")
    with pytest.raises(ValueError, match="no stream 'imec1.ap'.*imec0.lf: 384 channels at 2500 Hz;"):
        read_recording(tmp_path / "run", stream="imec1.ap")


def test_a_spikeglx_file_is_its_trigger_alone(tmp_path):
    first, first_values = files.write_spikeglx(tmp_path / "run")
    second, second_values = files.write_spikeglx(tmp_path / "run", run="run_g0_t1", num_samples=2000)
    assert read_recording(tmp_path / "run").get_num_segments() == 2
    for path, values in ((first, first_values), (second, second_values)):
        assert assert_reads(path, values).get_num_segments() == 1


def test_open_ephys(tmp_path):
    folder, values = files.write_open_ephys(tmp_path / "one")
    file = next(folder.rglob("continuous.dat"))
    for path in (folder, folder / "Record Node 101", file, file.parents[2] / "structure.oebin"):
        recording = assert_reads(path, values["Rhythm-100.0"], "openephysbinary")
    assert recording.get_channel_gains()[0] == pytest.approx(0.195)
    streams = (("AP", 16, 30000.0), ("LFP", 8, 2500.0))
    folder, values = files.write_open_ephys(tmp_path / "two", streams)
    with pytest.raises(ValueError, match=r"2 streams.*#AP \(id 0\): 16 channels at 30000 Hz; .*#LFP \(id 1\): 8 chan"):
        read_recording(folder)
    assert_reads(folder, values["LFP"], stream="1")
    assert_reads(folder, values["AP"], stream="Record Node 101#AP")
    assert_reads(next(folder.rglob("LFP/continuous.dat")), values["LFP"])


def test_what_else_lies_in_a_session_does_not_matter(tmp_path):
    folder, values = files.write_open_ephys(tmp_path / "session")
    recording = NumpyRecording([np.zeros((100, 2), dtype="int16")], 30000.0)
    recording.save(folder=folder / "analysis" / "preprocessed", verbose=False)
    assert_reads(folder, values["Rhythm-100.0"], "openephysbinary")
    assert_reads(folder / "analysis" / "preprocessed", np.zeros((100, 2)), "binaryfolder")


def test_intan(tmp_path):
    path, values = files.write_intan(tmp_path / "trial.rhd")
    for source in (path, tmp_path):
        assert assert_reads(source, values, "intan").get_channel_gains()[0] == pytest.approx(0.195)
    path, values = files.write_intan(tmp_path / "inputs.rhd", num_adc=2)
    with pytest.raises(ValueError, match=r"amplifier channel \(id 0\): 16 channels at 30000 Hz; .*input.*: 2 channels"):
        read_recording(path)
    recording = assert_reads(path, values[:, [1, 3]], stream="RHD2000 amplifier channel", channels="A-001,A-003")
    assert recording.get_property("channel_name").tolist() == ["A-001", "A-003"]
    with pytest.raises(ValueError, match="holds 2 intan files .inputs.rhd, trial.rhd.; give the path of one"):
        read_recording(tmp_path)


def test_blackrock_file_is_its_stream(tmp_path):
    path, values = files.write_blackrock(tmp_path, 5)
    assert_reads(path, values, "blackrock")
    lf_path, lf_values = files.write_blackrock(tmp_path, 3, num_channels=8, rate=2000.0)
    assert_reads(path, values)
    assert_reads(lf_path, lf_values)
    with pytest.raises(ValueError, match=r"nsx3 \(id 3\): 8 channels at 2000 Hz; nsx5 \(id 5\): 16 channels"):
        read_recording(tmp_path)


@pytest.mark.parametrize("name", ["neuralynx", "neuroscope", "mda"])
def test_other_formats(tmp_path, name):
    folder, values = {
        "neuralynx": files.write_neuralynx,
        "neuroscope": lambda folder: (folder.mkdir(), files.write_neuroscope(folder))[1],
        "mda": files.write_mda,
    }[name](tmp_path / name)
    inside = {"neuralynx": "CSC2.ncs", "neuroscope": "session.xml", "mda": "raw.mda"}[name]
    for path in (folder, tmp_path / name, tmp_path / name / inside):
        assert_reads(path, values, name)
        assert_reads(path, values, name, format=name)


POSITIONS = np.array([[0.0, 0.0], [0.0, 20.0], [0.0, 40.0], [0.0, 60.0]])


@pytest.mark.parametrize(
    "positions",
    [None, np.zeros((4, 2)), np.full((4, 2), np.nan), np.where(np.arange(4)[:, None] == 1, np.nan, POSITIONS)],
    ids=["none", "all at one place", "NaN", "one of them NaN"],
)
def test_nwb_without_usable_positions_takes_a_probe(tmp_path, positions):
    path, values = files.write_nwb(tmp_path / "session.nwb", positions)
    recording = assert_reads(path, values["ElectricalSeries"], "nwb", probe="linear:4:20")
    np.testing.assert_array_equal(recording.get_channel_locations(), POSITIONS)
    assert recording.get_channel_gains()[0] == pytest.approx(files.UV_PER_COUNT)
    assert recording.get_start_time() == 100
    with pytest.raises(ValueError, match="--probe"):
        prepare(read_recording(path))


def test_nwb_positions_and_series(tmp_path):
    path, values = files.write_nwb(tmp_path / "session.nwb", POSITIONS, series=("AP", "LFP"))
    with pytest.raises(ValueError, match=r"AP \(id acquisition/AP\): 4 channels at 30000 Hz; LFP .*: 4 channels at 25"):
        read_recording(path)
    path.rename(tmp_path / "session.h5")
    for stream in ("AP", "acquisition/AP"):
        recording = assert_reads(tmp_path / "session.h5", values["AP"], "nwb", stream=stream)
        np.testing.assert_array_equal(recording.get_channel_locations(), POSITIONS)


@pytest.mark.parametrize("order", [[0, 1, 2], [0, 2, 1], [2, 1, 0]])
def test_nwb_positions_of_three_coordinates(tmp_path, order):
    # Of two of them alone, distances would be others, or contacts would share a place.
    positions = np.array([[0.0, 0, 0], [0, 20, 15], [0, 40, 30], [0, 60, 45]])[:, order]
    path, values = files.write_nwb(tmp_path / "session.nwb", positions)
    recording = assert_reads(path, values["ElectricalSeries"])
    used = recording.get_channel_locations()
    np.testing.assert_allclose(np.linalg.norm(used - used[0], axis=1), [0, 25, 50, 75], atol=0.01)
    assert set(recording.get_channel_groups()) == {"shank0"}


def test_a_format_can_be_forced(tmp_path):
    values = files.counts(3000, 4)
    raw = {"sampling_rate": 30000.0, "num_channels": 4, "dtype": "int16"}
    values.tofile(tmp_path / "samples")
    assert_reads(tmp_path / "samples", values, format="binary", raw=raw)
    (tmp_path / "white.bin").write_bytes(bytes(8) + values.tobytes())
    layout = {"sampling_rate": 25000.0, "num_channels": 4}
    assert_reads(tmp_path / "white.bin", values, "whitematter", format="whitematter", raw=layout)
    with pytest.raises(ValueError, match="give --sampling-rate and --num-channels"):
        read_recording(tmp_path / "white.bin", format="whitematter")
    # Content comes before the name.
    path, values = files.write_nwb(tmp_path / "session.dat")
    assert_reads(path, values["ElectricalSeries"], "nwb")
    # A layout that is given is meant, whatever lies beside the file.
    path, values = files.write_neuroscope(tmp_path)
    assert_reads(path, values, raw={**raw, "num_channels": 8})
    with pytest.raises(ValueError, match="format 'intam'; known are .*intan, .*zarr"):
        read_recording(path, format="intam")
    with pytest.raises(ValueError, match="taken for plexon: if it is of another format, say so with --format"):
        read_recording(tmp_path / "samples", format="plexon")
    with pytest.raises(ValueError, match="no reader knows it by its name and content.*--format: .*blackrock"):
        read_recording(tmp_path / "samples")
    with pytest.raises(ValueError, match="no stream '7'"):
        read_recording(path, stream="7")
    folder, _ = files.write_mda(tmp_path / "mda")
    with pytest.raises(ValueError, match="no streams to choose from; leave --stream out"):
        read_recording(folder, stream="7")


def test_open_ephys_experiments_are_read_one_by_one(tmp_path):
    folder, values = files.write_open_ephys(tmp_path / "session")
    first = folder / "Record Node 101" / "experiment1"
    shutil.copytree(first, first.with_name("experiment2"))
    with pytest.raises(ValueError, match="holds 2 experiments or sessions; give the folder of one of them"):
        read_recording(folder)
    assert_reads(first, values["Rhythm-100.0"], "openephysbinary")


def test_formats_are_those_of_spikeinterface():
    known = set(format_names())
    assert {"intan", "blackrock", "neuralynx", "plexon", "plexon2", "maxwell", "mcsh5", "mcsraw", "tdt"} <= known
    assert {"spikegadgets", "mda", "zarr", "nwb", "spikeglx", "openephysbinary", "openephyslegacy", "edf"} <= known


@pytest.mark.parametrize(
    ("name", "format"),
    [("a.plx", "plexon"), ("a.pl2", "plexon2"), ("a.rec", "spikegadgets"), ("a.edf", "edf"), ("a.abf", "axon")]
    + [("a.smr", "spike2"), ("a.smrx", "ced"), ("a.rhs", "intan"), ("a.nex", "neuroexplorer"), ("a.cbin", None)]
    + [("tank/a.tsq", "tdt"), ("run/a.mpx", "alphaomega"), ("a.txt", None), ("a.bin", None), ("a.pkl", None)],
)
def test_formats_are_told_by_name(tmp_path, name, format):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"0")
    expected = "compressedbinaryibl" if name == "a.cbin" else format
    assert find_format(path) == expected
    if path.parent != tmp_path:
        assert find_format(path.parent) == expected


def test_nothing_is_unpickled(tmp_path):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "recording.pkl", tmp_path / "folder" / "cached.pkl"):
        path.write_bytes(pickle.dumps({"a": 1}))
    for path in (tmp_path / "recording.pkl", tmp_path / "folder"):
        with pytest.raises(ValueError, match="pickle"):
            read_recording(path)


def test_nwb_as_pynwb_writes_it(tmp_path):
    pynwb = pytest.importorskip("pynwb")
    session = pynwb.NWBFile("session", "id", datetime(2024, 1, 1, tzinfo=timezone.utc))
    device = session.create_device(name="probe")
    shanks = [session.create_electrode_group(name, "shank", "CA1", device) for name in ("left", "right")]
    for index in range(8):
        session.add_electrode(group=shanks[index // 4], location="CA1", rel_x=0.0, rel_y=20.0 * (index % 4))
    values = files.counts(3000, 8)
    region = session.create_electrode_table_region(list(range(8)), "all")
    given = {"rate": 30000.0, "starting_time": 12.5, "conversion": 1.95e-7}
    session.add_acquisition(pynwb.ecephys.ElectricalSeries(name="ES", data=values, electrodes=region, **given))
    with pynwb.NWBHDF5IO(tmp_path / "session.nwb", "w") as file:
        file.write(session)
    recording = assert_reads(tmp_path / "session.nwb", values, "nwb")
    assert recording.get_channel_groups().tolist() == ["left"] * 4 + ["right"] * 4
    assert recording.get_start_time() == 12.5 and recording.get_channel_gains()[0] == pytest.approx(0.195)

import numpy as np
import pytest
from probeinterface import generate_multi_shank, write_probeinterface
from spikeinterface.core import NumpyRecording

from huidurep_hf.cli.main import main
from huidurep_hf.cli.recording_info import describe, draw_probe

RAW = ["--sampling-rate", "30000", "--num-channels", "8", "--dtype", ">i2", "--gain-uv", "0.5"]


@pytest.fixture
def raw_file(tmp_path):
    traces = np.random.default_rng(0).normal(0, 20, (60000, 8))
    traces[:, 5] = 0
    traces.round().astype(">i2").tofile(tmp_path / "trial.dat")
    return tmp_path / "trial.dat"


def test_info_says_what_is_understood(raw_file, tmp_path, capsys):
    probe = generate_multi_shank(num_shank=2, num_columns=1, num_contact_per_column=4)
    probe.set_device_channel_indices(np.arange(8))
    write_probeinterface(tmp_path / "probe.json", probe)
    assert main(["info", str(raw_file), *RAW, "--probe", str(tmp_path / "probe.json"), "--quiet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    said = {line[:11].strip(): line[11:] for line in lines if line[0] != " "}
    assert said["format"] == "binary" and said["rate"] == "30000 Hz" and said["duration"] == "2 s"
    assert said["channels"] == "8 of >i2: 0, 1, 2, 3, 4, 5, 6, 7" and said["gain"] == "0.5 µV per count"
    assert said["left out"] == "silent: 5" and "GB of memory" in said["forecast"]
    assert said["noise"].startswith("median ") and "µV" in said["noise"]
    pictures = [line.strip() for line in lines if line.strip() in ("o", "x")]
    assert pictures == ["o", "o", "o", "o", "o", "o", "x", "o"]
    assert sum("group" in line for line in lines) == 2
    noise = " ".join(lines[lines.index(next(line for line in lines if line.startswith("noise"))) + 1 :]).split()
    levels = dict(zip(noise[0:14:2], map(float, noise[1:14:2])))
    assert list(levels) == ["0", "1", "2", "3", "4", "6", "7"] and all(3 < level < 10 for level in levels.values())
    assert not list(tmp_path.glob(".*"))


def test_channels_are_selected(raw_file, capsys):
    assert main(["info", str(raw_file), *RAW, "--channels", "0-2,7", "--probe", "tetrode", "--quiet"]) == 0
    assert "4 of >i2: 0, 1, 2, 7" in capsys.readouterr().out
    assert main(["info", str(raw_file), *RAW, "--channels", "0-8"]) == 2
    assert "has no channels '0-8'; it has 8" in capsys.readouterr().err


def test_a_missing_probe_is_said_and_the_rest_as_well(raw_file, capsys):
    assert main(["info", str(raw_file), *RAW, "--quiet"]) == 0
    said = capsys.readouterr().out
    assert "probe      The recording has 8 channels and no probe" in said and "noise      median" in said


def test_times_and_segments_are_said():
    recording = NumpyRecording([np.zeros((30000, 1)), np.ones((15000, 1))], 30000.0, t_starts=[100.0, 500.0])
    said = describe(recording)
    assert "1.5 s in 2 segments of 0.5 to 1 s, from 100, 500 s" in said
    assert "1 contact, 0 µm wide" in said and "gain       unknown" in said and "left out   silent: 0" in said


def test_a_long_probe_has_a_small_picture():
    positions = np.stack(np.meshgrid([0.0, 32.0], 20.0 * np.arange(200)), axis=-1).reshape(-1, 2)
    is_used = np.ones(400, dtype=bool)
    is_used[0] = False
    picture = draw_probe(positions, is_used)
    assert len(picture) == 24 and picture[0] == "  o o" and picture[-1] == "  x o"

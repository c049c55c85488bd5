"""Small files as rigs write them, each with the same counts: `(num_samples, num_channels)` int16."""

import json
import struct

import h5py
import numpy as np
from spikeinterface.core import NumpyRecording
from spikeinterface.extractors.mdaextractors import MdaRecordingExtractor

RATE = 30000.0
UV_PER_COUNT = 0.195


def counts(num_samples, num_channels, seed=0):
    return np.random.default_rng(seed).integers(-200, 200, (num_samples, num_channels)).astype("int16")


def write_spikeglx(folder, kind="ap", rate=RATE, num_samples=3000, run="run_g0_t0"):
    """A `.bin` and `.meta` of Neuropixels 1.0 with its sync channel: path and counts without that channel."""
    folder.mkdir(parents=True, exist_ok=True)
    path, saved = folder / f"{run}.imec0.{kind}.bin", 385
    values = counts(num_samples, saved)
    values.tofile(path)
    first = 0 if kind == "ap" else 384
    lines = {
        "acqApLfSy": "384,384,1",
        "appVersion": "20220101",
        "fileCreateTime": "2024-01-01T00:00:00",
        "fileName": f"D:/data/{path.name}",
        "fileSizeBytes": values.nbytes,
        "firstSample": 0,
        "imAiRangeMax": 0.6,
        "imAiRangeMin": -0.6,
        "imDatPrb_pn": "NP1000",
        "imDatPrb_port": 1,
        "imDatPrb_slot": 2,
        "imDatPrb_sn": 1,
        "imDatPrb_type": 0,
        "imSampRate": rate,
        "nSavedChans": saved,
        "snsApLfSy": "384,0,1" if kind == "ap" else "0,384,1",
        "snsSaveChanSubset": f"{first}:{first + 383},768",
        "typeThis": "imec",
        "~imroTbl": "(0,384)" + "".join(f"({i} 0 0 500 250 1)" for i in range(384)),
        "~snsChanMap": "(384,384,1)" + "".join(f"({kind.upper()}{i};{i}:{i})" for i in range(384)) + "(SY0;768:384)",
    }
    path.with_suffix(".meta").write_text("\n".join(f"{key}={value}" for key, value in lines.items()) + "\n")
    return path, values[:, :384]


def write_open_ephys(folder, streams=(("Rhythm-100.0", 16, RATE),)):
    """A binary-format session: folder, and the counts of each stream."""
    recording = folder / "Record Node 101" / "experiment1" / "recording1"
    values, continuous = {}, []
    for index, (name, num_channels, rate) in enumerate(streams):
        stream = recording / "continuous" / name
        stream.mkdir(parents=True)
        values[name] = counts(3000, num_channels, index)
        values[name].tofile(stream / "continuous.dat")
        np.save(stream / "timestamps.npy", np.arange(3000) / rate)
        np.save(stream / "sample_numbers.npy", np.arange(3000))
        channels = [
            {"channel_name": f"CH{i + 1}", "bit_volts": UV_PER_COUNT, "units": "uV"} for i in range(num_channels)
        ]
        continuous.append(
            {
                "folder_name": f"{name}/",
                "sample_rate": rate,
                "source_processor_name": name,
                "source_processor_id": 100 + index,
                "stream_name": name,
                "recorded_processor": "Record Node",
                "recorded_processor_id": 101,
                "num_channels": num_channels,
                "channels": channels,
            }
        )
    described = {"GUI version": "0.6.0", "continuous": continuous, "events": [], "spikes": []}
    (recording / "structure.oebin").write_text(json.dumps(described))
    (folder / "Record Node 101" / "settings.xml").write_text("<SETTINGS></SETTINGS>")
    return folder, values


def write_intan(path, num_channels=16, num_adc=0):
    """An `.rhd` of version 1.5 with amplifier channels and, if wanted, analog inputs: counts around 0."""

    def text(value):
        encoded = value.encode("utf-16-le")
        return struct.pack("<I", len(encoded)) + encoded

    def group(name, prefix, num, signal_type):
        header = text(name) + text(prefix) + struct.pack("<hhh", 1, num, num if signal_type == 0 else 0)
        for index in range(num):
            header += text(f"{prefix}-{index:03d}") * 2
            header += struct.pack("<hhhhhh", index, index, signal_type, 1, index, 0)
            header += struct.pack("<hhhh", 0, 0, 0, 0) + struct.pack("<ff", 1e5, 0.0)
        return header

    header = struct.pack("<Ihh", 0xC6912702, 1, 5) + struct.pack("<f", RATE)
    header += struct.pack("<h", 1) + struct.pack("<ffffff", 1.0, 0.1, 7500.0, 1.0, 0.1, 7500.0)
    header += struct.pack("<hff", 0, 1000.0, 1000.0) + text("") * 3
    header += struct.pack("<h", 0) + struct.pack("<h", 0)
    groups = [group("Port A", "A", num_channels, 0)]
    groups += [group("Board ADC Inputs", "ANALOG-IN", num_adc, 3)] if num_adc else []
    header += struct.pack("<h", len(groups)) + b"".join(groups)
    values = counts(3000, num_channels)
    blocks = []
    for start in range(0, 3000, 60):
        block = np.arange(start, start + 60, dtype="<i4").tobytes()
        block += (values[start : start + 60].T.astype("int32") + 32768).astype("<u2").tobytes()
        block += np.zeros((num_adc, 60), dtype="<u2").tobytes()
        blocks.append(block)
    path.write_bytes(header + b"".join(blocks))
    return path, values


def write_blackrock(folder, number=5, num_channels=16, rate=RATE):
    """An `.ns5` (or another number) of specification 2.3."""
    path, values = folder / f"session.ns{number}", counts(3000, num_channels, number)
    size = 314 + 66 * num_channels
    header = b"NEURALCD" + struct.pack("<BBI", 2, 3, size) + b"label".ljust(16, b"\0") + bytes(256)
    header += struct.pack("<II", round(30000 / rate), 30000) + struct.pack("<8H", 2024, 1, 1, 1, 0, 0, 0, 0)
    header += struct.pack("<I", num_channels)
    for index in range(num_channels):
        header += b"CC" + struct.pack("<H", index + 1) + f"chan{index + 1}".encode().ljust(16, b"\0")
        header += struct.pack("<BBhhhh", 1, index, -32764, 32764, -8191, 8191) + b"uV".ljust(16, b"\0")
        header += struct.pack("<IIHIIH", 300, 1, 1, 7500000, 3, 1)
    path.write_bytes(header + struct.pack("<BII", 1, 0, 3000) + values.tobytes())
    return path, values


def write_neuralynx(folder, num_channels=4):
    """An `.ncs` file for each channel."""
    folder.mkdir()
    values = counts(512 * 6, num_channels)
    record = np.dtype(
        [("time", "<u8"), ("channel", "<u4"), ("rate", "<u4"), ("num_valid", "<u4"), ("samples", "<i2", 512)]
    )
    for index in range(num_channels):
        lines = [
            "######## Neuralynx Data File Header",
            "-TimeCreated 2024/01/01 10:00:00",
            "-TimeClosed 2024/01/01 10:00:01",
            "-FileType NCS",
            "-FileVersion 3.4",
            "-RecordSize 1044",
            '-ApplicationName Cheetah "6.3.2"',
            "-HardwareSubSystemType DigitalLynxSX",
            f"-SamplingFrequency {RATE:g}",
            "-ADMaxValue 32767",
            "-ADBitVolts 0.000000195",
            f"-AcqEntName CSC{index + 1}",
            "-NumADChannels 1",
            f"-ADChannel {index}",
            "-InputRange 3000",
            "-InputInverted False",
            "-DspLowCutFilterEnabled False",
            "-DspHighCutFilterEnabled False",
        ]
        header = ("\r\n".join(lines) + "\r\n").encode("latin-1").ljust(16384, b"\0")
        records = np.zeros(6, dtype=record)
        records["time"] = 1_000_000 + np.round(np.arange(6) * 512 * 1e6 / RATE).astype("u8")
        records["channel"], records["rate"], records["num_valid"] = index, round(RATE), 512
        records["samples"] = values[:, index].reshape(6, 512)
        (folder / f"CSC{index + 1}.ncs").write_bytes(header + records.tobytes())
    return folder, values


def write_neuroscope(folder, num_channels=8):
    """A `.dat` with its `.xml`."""
    path, values = folder / "session.dat", counts(3000, num_channels)
    values.tofile(path)
    channels = "".join(f"<channel skip='0'>{index}</channel>" for index in range(num_channels))
    path.with_suffix(".xml").write_text(
        "<parameters><acquisitionSystem><nBits>16</nBits>"
        f"<nChannels>{num_channels}</nChannels><samplingRate>{RATE:g}</samplingRate><voltageRange>20</voltageRange>"
        "<amplification>1000</amplification><offset>0</offset></acquisitionSystem><anatomicalDescription>"
        f"<channelGroups><group>{channels}</group></channelGroups></anatomicalDescription></parameters>"
    )
    return path, values


def write_mda(folder, num_channels=4):
    values = counts(3000, num_channels)
    recording = NumpyRecording([values], RATE)
    recording.set_dummy_probe_from_locations(np.stack([np.zeros(num_channels), 20.0 * np.arange(num_channels)], 1))
    MdaRecordingExtractor.write_recording(recording, folder)
    return folder, values


def write_nwb(path, positions=None, series=("ElectricalSeries",), num_channels=4):
    """An NWB file of electrical series: path, and the counts of each."""
    values = {}
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        electrodes = file.create_group("general/extracellular_ephys/electrodes")
        electrodes["id"] = np.arange(num_channels)
        electrodes["group_name"] = np.array(["shank0"] * num_channels, dtype=h5py.string_dtype())
        columns = ["group_name"]
        if positions is not None:
            for name, column in zip(("rel_x", "rel_y", "rel_z"), np.asarray(positions, dtype=float).T):
                electrodes[name] = column
                columns.append(name)
        electrodes.attrs["colnames"] = np.array(columns, dtype=h5py.string_dtype())
        electrodes.attrs["neurodata_type"] = "DynamicTable"
        for index, name in enumerate(series):
            values[name] = counts(3000, num_channels, index)
            group = file.create_group(f"acquisition/{name}")
            group.attrs["neurodata_type"] = "ElectricalSeries"
            group["data"] = values[name]
            group["data"].attrs["conversion"], group["data"].attrs["offset"] = UV_PER_COUNT * 1e-6, 0.0
            group["electrodes"] = np.arange(num_channels)
            group["starting_time"] = 100.0
            group["starting_time"].attrs["rate"] = RATE / (1 + 11 * index)
    return path, values

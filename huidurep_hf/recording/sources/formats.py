"""Which of SpikeInterface's formats a path is, and its recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .streams import ChoiceError, Stream, choose_stream, streams_of_neo

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording

# Raw binary says nothing of itself, and is read with a layout that the user gives.
RAW_FORMAT = "binary"
# Says its scale, but neither rate nor channels.
WHITE_MATTER = "whitematter"
# Of SpikeInterface's list these are no files (numpy, ibl), or their readers run text of the file as code.
NOT_READ = ("numpy", "ibl", "shybrid", "sinapsresearchplatform", "sinapsresearchplatformh5")
# Suffixes that several formats have, or that say nothing: content decides.
VAGUE_SUFFIXES = {"bin", "dat", "raw", "h5", "xml", "json", "txt", "npy", "eeg", "lfp", *map(str, range(1, 33))}
OWN_SUFFIXES = {
    **{".mda": "mda", ".cbin": "compressedbinaryibl", ".nwb": "nwb", ".zarr": "zarr"},
    # Two readers each: the one that needs no package of its own, and for .nev what has signals of that name too.
    **{".smr": "spike2", ".smrx": "ced", ".nev": "blackrock"},
}
# What a folder of a format holds, the surest first; these formats hold it at any depth.
DEEP_FORMATS = ("openephysbinary", "spikeglx", "openephyslegacy")
FOLDER_PATTERNS = {
    "binaryfolder": ("binary.json",),
    "mda": ("raw.mda",),
    "openephysbinary": ("structure.oebin",),
    "spikeglx": ("*.ap.meta", "*.lf.meta", "*.nidq.meta", "*.obx.meta"),
    "compressedbinaryibl": ("*.cbin",),
    "openephyslegacy": ("*.continuous",),
    "intan": ("info.rhd", "info.rhs"),
    "neuralynx": ("*.ncs",),
    "tdt": ("*.tsq", "*.tbk", "*.sev"),
    "alphaomega": ("*.mpx", "*.lsx"),
}
# What an HDF5 file of a format has at its root: groups or attributes.
HDF5_ROOTS = {
    "nwb": ("nwb_version",),
    "maxwell": ("mapping", "wells", "mxw_version"),
    "biocam": ("3BRecInfo", "ExperimentSettings"),
    "mearec": ("channel_positions",),
    "mcsh5": ("McsHdf5ProtocolVersion", "Data"),
    "nix": ("format",),
}


def format_names() -> list[str]:
    """Names of the formats that can be read, as SpikeInterface has them."""
    from spikeinterface.extractors import recording_extractor_full_dict

    return sorted(set(recording_extractor_full_dict) - set(NOT_READ))


def find_format(path: Path) -> str | None:
    """Tell the format of a file or folder by its name and content; None if it is none that is known.

    Args:
        path: exists.
    """
    return _format_of_folder(path) if path.is_dir() else _format_of_file(path)


def open_format(path: Path, name: str, stream: str | None) -> BaseRecording:
    """Open a recording of a known format.

    Args:
        path: file or folder.
        name: one of [`format_names`], but raw binary.
        stream: name or id of one of several streams. A file of one stream of its folder is that stream.

    Returns:
        SpikeInterface recording, annotated with `format` and `stream`.

    Raises:
        ChoiceError: several files, sessions or streams, or no such stream.
    """
    from spikeinterface.extractors.neoextractors import neo_recording_class_dict

    if name in neo_recording_class_dict:
        return _open_neo(path, name, neo_recording_class_dict[name], stream)
    if name in ("nwb", "mcsh5"):
        return _open_hdf5(path, name, stream)
    return _open_other(path, name, stream)


def open_white_matter(path: Path, sampling_rate: float, num_channels: int) -> BaseRecording:
    """Open a file of WhiteMatter, of a rate in Hz and a number of channels that the user gives."""
    from spikeinterface.extractors import read_whitematter

    return _annotated(read_whitematter(path, sampling_rate, num_channels), WHITE_MATTER)


def _open_neo(path: Path, name: str, reader_class: type, stream: str | None) -> BaseRecording:
    source, more = _source_of(path, name)
    reader = reader_class.get_neo_io_reader(
        reader_class.NeoRawIOClass, **reader_class.map_to_neo_kwargs(str(source), **more)
    )
    if reader.block_count() > 1:
        raise ChoiceError(
            f"{path} holds {reader.block_count()} experiments or sessions; give the folder of one of them."
        )
    streams = streams_of_neo(reader)
    chosen = choose_stream(streams, stream or _stream_of_file(path, name, reader), path)
    if len(streams) > 1:
        more["stream_id"] = chosen.id
    recording = reader_class(str(source), **more)
    if name == "spikeglx" and path.is_file():
        # Its folder may hold other triggers of the run, each a segment.
        infos = [info for info in reader.signals_info_list if Path(info["bin_file"]).samefile(path)]
        if recording.get_num_segments() > 1:
            recording = recording.select_segments([info["seg_index"] for info in infos])
    return _annotated(recording, name, chosen)


def _open_hdf5(path: Path, name: str, stream: str | None) -> BaseRecording:
    """Formats whose streams are groups of an HDF5 file, each read by its own path or number."""
    open_stream, ids = _hdf5_streams(path, name)
    streams = []
    for stream_id in ids:
        recording = open_stream(stream_id)
        label = stream_id.rpartition("/")[2]
        streams.append(Stream(label, stream_id, recording.get_num_channels(), recording.get_sampling_frequency()))
    chosen = choose_stream(streams, stream, path)
    return _annotated(open_stream(chosen.id), name, chosen)


def _hdf5_streams(path: Path, name: str) -> tuple:
    import h5py
    from spikeinterface.extractors import read_mcsh5
    from spikeinterface.extractors.nwbextractors import NwbRecordingExtractor

    from .nwb import read_nwb

    if name == "nwb":
        ids = NwbRecordingExtractor.fetch_available_electrical_series_paths(file_path=path)
        return lambda stream_id: read_nwb(path, stream_id), ids
    with h5py.File(path, "r") as file:
        groups = file["Data/Recording_0/AnalogStream"]
        ids = [group.removeprefix("Stream_") for group in groups]
    return lambda stream_id: read_mcsh5(path, stream_id=int(stream_id)), ids


def _open_other(path: Path, name: str, stream: str | None) -> BaseRecording:
    from spikeinterface.extractors import recording_extractor_full_dict

    read = recording_extractor_full_dict[name]
    if name == WHITE_MATTER:
        raise ChoiceError(f"{path} is of WhiteMatter, which says no layout; give --sampling-rate and --num-channels.")
    if name == "compressedbinaryibl":
        return _annotated(read(cbin_file_path=path) if path.is_file() else read(path, stream_name=stream or "ap"), name)
    if name == "nwbtimeseries":
        return _annotated(read(path, timeseries_path=stream), name)
    if stream is not None:
        raise ChoiceError(f"{path} has no streams to choose from; leave --stream out.")
    return _annotated(read(path.parent if path.is_file() else path), name)


def _annotated(recording: BaseRecording, name: str, stream: Stream | None = None) -> BaseRecording:
    recording.annotate(format=name, **({} if stream is None else {"stream": str(stream)}))
    return recording


def _source_of(path: Path, name: str) -> tuple[Path, dict]:
    """What the format's reader is to be given in place of the path: some read folders, some files."""
    if name == "neuroscope":
        path = _only_file(path, name) if path.is_dir() else path
        return path, {} if path.suffix == ".xml" else {"xml_file_path": str(path.with_suffix(".xml"))}
    if name == "openephysbinary" and path.is_file():
        return _recording_of_open_ephys(path) or path.parent, {}
    if name in FOLDER_PATTERNS and name != "intan":
        return (path if path.is_dir() else path.parent), {}
    if name == "intan":
        header = next(iter(_files(path if path.is_dir() else path.parent, FOLDER_PATTERNS["intan"])), None)
        if header is not None and path.suffix not in (".rhd", ".rhs"):
            return header, {}
    return (_only_file(path, name) if path.is_dir() else path), {}


def _stream_of_file(path: Path, name: str, reader: object) -> str | None:
    """The stream that a file of a folder is; None if the format has no such files."""
    if path.is_dir():
        return None
    if name == "spikeglx":
        files = {Path(info["bin_file"]).resolve(): info["stream_name"] for info in reader.signals_info_list}
        return files.get(path.with_suffix(".bin").resolve())
    if name == "openephysbinary" and path.name == "continuous.dat":
        names = [str(stream) for stream in reader.header["signal_streams"]["name"]]
        return next((stream for stream in names if stream.rpartition("#")[2] == path.parent.name), None)
    if name == "blackrock" and path.suffix.lower().startswith(".ns"):
        return path.suffix[-1]
    return None


def _format_of_folder(path: Path) -> str | None:
    if path.suffix == ".zarr" or (path / ".zgroup").is_file():
        return "nwb" if (path / "acquisition").is_dir() else "zarr"
    for name, patterns in FOLDER_PATTERNS.items():
        if _files(path, patterns):
            return name
    for name in DEEP_FORMATS:
        if _files(path, FOLDER_PATTERNS[name], is_deep=True):
            return name
    # The only recording in it, such as one .rhd.
    found = {_format_of_file(file) for file in path.iterdir() if file.is_file()} - {None, RAW_FORMAT}
    return found.pop() if len(found) == 1 else None


def _format_of_file(path: Path) -> str | None:
    suffix = path.suffix.lower()
    if suffix in (".bin", ".meta") and path.with_suffix(".meta").is_file():
        return "spikeglx"
    if suffix == ".bin" and path.with_suffix(".set").is_file():
        return "axona"
    if _recording_of_open_ephys(path) is not None:
        return "openephysbinary"
    if suffix in (".dat", ".lfp", ".eeg", ".xml") and path.with_suffix(".xml").is_file():
        return "neuroscope"
    if suffix == ".dat" and _files(path.parent, FOLDER_PATTERNS["intan"]):
        return "intan"
    if suffix == ".raw" and _begins_with(path, b"MCS"):
        return "mcsraw"
    if path.name.lower().endswith(".xdat.json"):
        return "neuronexus"
    if suffix in OWN_SUFFIXES and suffix != ".nwb":
        return OWN_SUFFIXES[suffix]
    if _begins_with(path, b"\x89HDF"):
        return _format_of_hdf5(path)
    return OWN_SUFFIXES.get(suffix) or _formats_of_suffixes().get(suffix)


def _formats_of_suffixes() -> dict[str, str]:
    """Suffix -> format, as neo's readers have them."""
    import neo.rawio
    from spikeinterface.extractors.neoextractors import neo_recording_class_dict

    suffixes = {}
    for name, reader_class in neo_recording_class_dict.items():
        for suffix in getattr(neo.rawio, reader_class.NeoRawIOClass).extensions:
            if suffix.lower() not in VAGUE_SUFFIXES:
                suffixes.setdefault("." + suffix.lower(), name)
    return suffixes


def _format_of_hdf5(path: Path) -> str | None:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            names = {*file.keys(), *file.attrs.keys()}
    except OSError:
        # Damaged, or cut off.
        return None
    return next((name for name, roots in HDF5_ROOTS.items() if names & set(roots)), None)


def _recording_of_open_ephys(path: Path) -> Path | None:
    """The folder with `structure.oebin` that a file belongs to, as `continuous/STREAM/continuous.dat` does."""
    if path.name not in ("structure.oebin", "continuous.dat"):
        return None
    return next((folder for folder in path.resolve().parents[:3] if (folder / "structure.oebin").is_file()), None)


def _only_file(folder: Path, name: str) -> Path:
    found = sorted(file for file in folder.iterdir() if file.is_file() and _format_of_file(file) == name)
    # Files of one name are one recording.
    files = sorted({file.with_suffix(""): file for file in reversed(found)}.values())
    if len(files) != 1:
        listed = ", ".join(file.name for file in files) or "none"
        raise ChoiceError(f"{folder} holds {len(files)} {name} files ({listed}); give the path of one.")
    return files[0]


def _files(folder: Path, patterns: tuple[str, ...], is_deep: bool = False) -> list[Path]:
    find = folder.rglob if is_deep else folder.glob
    return [file for file in (next(find(pattern), None) for pattern in patterns) if file is not None]


def _begins_with(path: Path, start: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(start)) == start

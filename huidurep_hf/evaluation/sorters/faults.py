"""Recordings with the faults of a rig, made from the example tetrode, and what our sorter makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import butter, sosfiltfilt

from ...simulation.electrodes.probes import make_probe
from ...simulation.recordings.examples import EXAMPLE_NOISE_UV, load_templates
from ...simulation.recordings.firing import FiringPattern
from ...simulation.recordings.injection import GroundTruthRecording, RecordingChain, record_units
from ..records.tables import markdown_table
from .ground_truth import score_sorting

if TYPE_CHECKING:
    from spikeinterface.core import BaseRecording

    from ...sorting.sorter import SpikeSorter

DURATION_S, RATE = 40.0, 30_000.0
LARGE_SNR = 40.0
BURST_SNR = 24.0


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Attributes:
        item: of docs/faults.md.
        name: what is wrong.
        spoil: from traces `(num_samples, num_channels)`, µV, and a random generator to the traces with the fault.
        make: from a seed to the recording that is spoilt; left out, the example tetrode.
    """

    item: int
    name: str
    spoil: Callable[[np.ndarray, np.random.Generator], np.ndarray]
    make: Callable[[int], GroundTruthRecording] | None = None


def measure_faults(sorter: SpikeSorter, seeds: list[int]) -> Iterator[dict]:
    """Sort each fault once for each seed.

    Args:
        sorter: [`~huidurep_hf.sorting.sorter.SpikeSorter`].
        seeds: of the spike trains, the noise and the fault.

    Yields:
        Row with `item`, `fault`, `seed`, `num_true_units`, `num_sorted_units`, `num_false_positive_units`, `accuracy`.
    """
    for fault in FAULTS:
        for seed in seeds:
            truth = (fault.make or _tetrode)(seed)
            traces = fault.spoil(truth.recording.get_traces().copy(), np.random.default_rng([seed, fault.item]))
            _, scores = score_sorting(sorter.sort(_recording(truth, traces)).sorting, truth.sorting, truth.unit_snr)
            names = ("num_true_units", "num_sorted_units", "num_false_positive_units", "accuracy")
            yield {"item": fault.item, "fault": fault.name, "seed": seed, **{name: scores[name] for name in names}}


def faults_table(rows: list[dict]) -> str:
    """Rows as markdown: a fault per line, means over seeds with the lowest and highest accuracy."""
    lines = []
    for name in dict.fromkeys(row["fault"] for row in rows):
        own = [row for row in rows if row["fault"] == name]
        accuracy = [row["accuracy"] for row in own]
        units, true, false = (
            np.mean([row[key] for row in own])
            for key in ("num_sorted_units", "num_true_units", "num_false_positive_units")
        )
        spread = f"{np.mean(accuracy):.2f} ({min(accuracy):.2f} to {max(accuracy):.2f})"
        lines.append([str(own[0]["item"] or ""), name, spread, f"{units:.1f} of {true:.0f}", f"{false:.1f}"])
    return markdown_table(["item", "fault", "accuracy", "units", "false units"], lines, num_text_columns=2)


def _tetrode(seed: int) -> GroundTruthRecording:
    return _scaled(seed, lambda snr, rng: snr)


def _with_large_units(seed: int) -> GroundTruthRecording:
    return _scaled(seed, lambda snr, rng: np.r_[rng.uniform(10, LARGE_SNR, len(snr) - 1), LARGE_SNR])


def _with_a_bursting_unit(seed: int) -> GroundTruthRecording:
    """One neuron alone, which fires in regular bursts of five."""
    pattern = FiringPattern(
        burst_probability=1.0,
        burst_spikes=(5, 5),
        burst_interval_ms=(3.0, 3.0),
        burst_end_amplitude=(0.3, 0.3),
        synchrony=0.0,
    )
    return _scaled(seed, lambda snr, rng: np.full(1, BURST_SNR), chosen=[seed % 8], pattern=pattern)


def _scaled(
    seed: int,
    new_snr: Callable[[np.ndarray, np.random.Generator], np.ndarray],
    chosen: Sequence[int] | None = None,
    pattern: FiringPattern | None = None,
) -> GroundTruthRecording:
    """The example tetrode with its units at other SNRs."""
    with resources.as_file(resources.files("huidurep_hf.simulation.recordings") / "examples" / "tetrode.npz") as path:
        templates, probe = load_templates(path)
    chosen = np.arange(len(templates.units)) if chosen is None else np.asarray(chosen)
    snr = templates.units["amplitude_uv"].to_numpy()[chosen] / EXAMPLE_NOISE_UV
    wanted = new_snr(snr, np.random.default_rng(seed))
    factors = (wanted / snr).astype("float32")[None, :, None, None]
    units = templates.units.iloc[chosen].reset_index(drop=True)
    units = units.assign(unit_id=np.arange(len(units)), amplitude_uv=wanted * EXAMPLE_NOISE_UV)
    templates = replace(templates, waveforms=templates.waveforms[:, chosen] * factors, units=units)
    chain = RecordingChain(DURATION_S, EXAMPLE_NOISE_UV, pattern=pattern, sampling_rate=RATE, seed=seed)
    return record_units(templates, make_probe(probe), chain)


def _recording(truth: GroundTruthRecording, traces: np.ndarray) -> BaseRecording:
    """The traces with the probe; further columns are copies of the first contacts."""
    from spikeinterface.core import NumpyRecording

    positions = truth.recording.get_channel_locations()
    positions = np.vstack([positions, positions[: traces.shape[1] - len(positions)] + [12.0, 0.0]])
    recording = NumpyRecording([traces.astype("float32")], RATE)
    recording.set_channel_gains(1.0)
    recording.set_channel_offsets(0.0)
    recording.set_dummy_probe_from_locations(positions)
    return recording


def _unchanged(traces: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return traces


def _noise_for_a_fifth(factor: float) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    def spoil(traces: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        start, length = len(traces) // 3, len(traces) // 5
        band = butter(3, [300, 6000], "band", fs=RATE, output="sos")
        extra = sosfiltfilt(band, rng.normal(size=(length, traces.shape[1])), axis=0)
        traces[start : start + length] += extra / extra.std() * EXAMPLE_NOISE_UV * np.sqrt(factor**2 - 1)
        return traces

    return spoil


def _steps(step_uv: float) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    def spoil(traces: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        length = round(0.5 * RATE)
        decay = np.exp(-np.arange(length) / (0.2 * RATE))
        for onset in np.arange(2, DURATION_S - 2, 2) * RATE:
            part = traces[round(onset) : round(onset) + length]
            part += step_uv * decay[:, None] * np.linspace(0.6, 1.0, traces.shape[1])
        return traces

    return spoil


def _tone(traces: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    times = np.arange(len(traces)) / RATE
    return traces + 30 * np.sin(2 * np.pi * 1500 * times)[:, None]


def _square(traces: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    times = np.arange(len(traces)) / RATE
    return traces + 200 * np.sign(np.sin(2 * np.pi * 50 * times))[:, None]


def _ripples(traces: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    for start in rng.choice(np.arange(100, len(traces) - 4000, 3000), 80, replace=False):
        length, frequency = int(rng.uniform(0.04, 0.1) * RATE), 400 * rng.normal(1, 0.1)
        phase = 2 * np.pi * (frequency * np.arange(length) / RATE + rng.random())
        traces[start : start + length] += 100 * (np.hanning(length) * np.sin(phase))[:, None]
    return traces


def _copied_channel(traces: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.concatenate([traces, traces[:, :1]], axis=1)


def _single_samples(traces: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    rows, channels = rng.integers(len(traces), size=200), rng.integers(traces.shape[1], size=200)
    traces[rows[:100], channels[:100]], traces[rows[100:], channels[100:]] = np.nan, np.inf
    return traces


FAULTS = (
    Fault(0, "none", _unchanged),
    Fault(1, "noise of twice the SD for a fifth of the time", _noise_for_a_fifth(2)),
    Fault(1, "noise of eight times the SD for a fifth of the time", _noise_for_a_fifth(8)),
    Fault(2, "steps of 0.4 mV", _steps(400)),
    Fault(2, "steps of 1 mV", _steps(1000)),
    Fault(2, "steps of 3 mV", _steps(3000)),
    Fault(3, "tone of 1.5 kHz, 30 µV", _tone),
    Fault(3, "square wave of 50 Hz, 200 µV", _square),
    Fault(3, "ripples of 400 Hz, 100 µV", _ripples),
    Fault(4, "a channel recorded twice", _copied_channel),
    Fault(6, "SNRs of 10 to 40", _unchanged, _with_large_units),
    Fault(7, "regular bursts of an SNR of 24, alone", _unchanged, _with_a_bursting_unit),
    Fault(8, "100 NaN and 100 infinite samples", _single_samples),
)
"""What is measured, in the order of docs/faults.md."""

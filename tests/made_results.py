"""Results of a sort that never was: any number of units and spikes, at once."""

import numpy as np
import pandas as pd
from probeinterface import Probe
from spikeinterface.core import NumpyRecording

from huidurep_hf.sorting.output.result import SortingResult
from huidurep_hf.sorting.spikes import OUTCOMES

RATE = 30000.0
# Samples of a template before its peak.
BEFORE = 30


def make_result(
    num_units,
    num_spikes,
    *,
    num_channels=16,
    num_shanks=1,
    seconds=(60.0,),
    num_embedded=3000,
    motion=None,
    start_times_s=None,
    seed=0,
):
    """A result of units evenly along a probe of two columns.

    Args:
        num_units, num_spikes, num_channels: counts; units fire in turn.
        num_shanks: that share the channels, 250 um apart.
        seconds: length of each segment, s.
        num_embedded: at most so many spikes have an embedding.
        motion: SpikeInterface `Motion`.
        start_times_s: of each segment; 0 if left out.
        seed: of all that is random.
    """
    rng = np.random.default_rng(seed)
    shanks, along = np.divmod(np.arange(num_channels), num_channels // num_shanks)
    positions = np.stack([250.0 * shanks + 30.0 * (along % 2), 20.0 * (along // 2)], axis=1)
    peaks = (np.arange(num_units) * num_channels // max(num_units, 1)).astype(int)
    time = np.arange(90) - BEFORE
    widths = 3.0 + rng.random(num_units)
    shapes = -np.exp(-0.5 * (time / widths[:, None]) ** 2) + 0.4 * np.exp(-0.5 * ((time - 10) / 7) ** 2)
    distances = np.linalg.norm(positions[None] - positions[peaks][:, None], axis=2)
    sizes = 8.0 + 8 * rng.random(num_units)
    templates = sizes[:, None, None] * shapes[:, :, None] * np.exp(-distances / 30.0)[:, None, :]
    num_samples = np.round(np.asarray(seconds) * RATE).astype(int)
    # In turn, so that each unit keeps its refractory period.
    samples = ((np.arange(num_spikes) + rng.random(num_spikes)) * num_samples.sum() / max(num_spikes, 1)).astype(
        "int64"
    )
    segments = np.searchsorted(np.cumsum(num_samples), samples, side="right")
    samples = samples - np.concatenate([[0], np.cumsum(num_samples)])[segments]
    units = np.arange(num_spikes) % num_units if num_units else np.full(num_spikes, -1)
    channels = [f"ch{index}" for index in range(num_channels)]
    codes = peaks[units] if num_units else np.zeros(num_spikes, dtype=int)
    noise = 5.0
    locations = positions[codes] + rng.normal(0, 3, (num_spikes, 2))
    sizes = sizes[units] if num_units else np.full(num_spikes, 5.0)
    events = pd.DataFrame(
        {
            "segment": segments.astype("int32"),
            "sample": samples,
            "time_s": samples / RATE + np.asarray(start_times_s or np.zeros(len(seconds)))[segments],
            "channel": pd.Categorical.from_codes(codes, channels),
            "x_um": locations[:, 0].astype("float32"),
            "y_um": locations[:, 1].astype("float32"),
            "amplitude": (-noise * (sizes + rng.normal(size=num_spikes))).astype("float32"),
            "unit": units.astype("int32"),
            "probability": (0.9 + 0.1 * rng.random(num_spikes)).astype("float32"),
            "outcome": pd.Categorical.from_codes(np.where(units < 0, 3, 0), OUTCOMES),
            "detected": np.ones(num_spikes, dtype=bool),
            "embedded": np.arange(num_spikes) < num_embedded,
        }
    )
    centers = rng.normal(size=(num_units + 1, 32))
    embeddings = centers[units[:num_embedded]] + 0.2 * rng.normal(size=(min(num_spikes, num_embedded), 32))
    table = {"x_um": positions[:, 0], "y_um": positions[:, 1], "shank": shanks, "noise_level": noise}
    times = np.linspace(0.5, seconds[0], 20)
    noise_rows = {"segment": 0, "time_s": times, **{str(index): np.full(20, noise) for index in range(num_channels)}}
    return SortingResult.from_tables(
        events=events,
        embeddings=embeddings.astype("float32"),
        templates=templates.astype("float32"),
        channels=pd.DataFrame({"channel": channels, **table}),
        spread=np.ones_like(templates, dtype="float32"),
        noise=pd.DataFrame(noise_rows),
        motion=motion,
        provenance={
            "created": "2026-01-01T00:00:00+00:00",
            "versions": {},
            "parameters": {"seed": 0, "freq_min_hz": 300.0, "freq_max_hz": 6000.0},
            "model": {"name_or_path": "huidurep/base"},
            "recording": {
                "description": "made",
                "num_channels": num_channels,
                "sampling_rate": RATE,
                "num_samples": num_samples.tolist(),
                "start_times_s": list(start_times_s or np.zeros(len(seconds))),
                "channel_ids": channels,
            },
            "preparation": {"unit": "uV", "steps": ["band-pass 300-6000 Hz"], "excluded_channels": {"dead": ["x"]}},
            "seconds": {"scan": 1.0},
            "counts": {"units": num_units, "events": num_spikes, "unit": int((units >= 0).sum())},
        },
    )


def make_recording(result, seed=0):
    """A recording that such a result could be of: noise, and the template of each spike.

    Args:
        result: of `make_result`.
        seed: of the noise.
    """
    rng = np.random.default_rng(seed)
    described, channels = result.provenance["recording"], result.channels
    traces = []
    for segment, num_samples in enumerate(described["num_samples"]):
        padded = rng.normal(size=(num_samples + 2 * 90, len(channels)))
        spikes = result.events[(result.events["segment"] == segment) & (result.events["unit"] >= 0)]
        for sample, unit in zip(spikes["sample"], spikes["unit"]):
            first = 90 + sample - BEFORE
            padded[first : first + 90] += result.templates[unit]
        traces.append((padded[90:-90] * channels["noise_level"].to_numpy()).astype("float32"))
    recording = NumpyRecording(traces, RATE, channel_ids=described["channel_ids"])
    probe = Probe(ndim=2)
    probe.set_contacts(channels[["x_um", "y_um"]].to_numpy(), shank_ids=channels["shank"].astype(str))
    probe.set_device_channel_indices(np.arange(len(channels)))
    recording.set_probe(probe, group_mode="by_shank")
    recording.set_channel_gains(1.0)
    recording.set_channel_offsets(0.0)
    for segment, start in enumerate(described["start_times_s"]):
        recording.segments[segment].t_start = float(start)
    return recording

import dataclasses

import numpy as np
import pytest
from spikeinterface.core import NumpyRecording, generate_ground_truth_recording
from spikeinterface.core.motion import Motion

from huidurep_hf.recording.preprocessing.whitening import WhitenedTraces
from huidurep_hf.sorting.sorter import SpikeSorter
from huidurep_hf.sorting.spikes import Spikes
from huidurep_hf.sorting.templates.unit_templates import UnitTemplates

RATE = 30000.0


@pytest.fixture(scope="session")
def sorter(tiny_checkpoint):
    return SpikeSorter.from_pretrained(tiny_checkpoint, device="cpu")


@pytest.fixture(scope="session")
def make_ground_truth():
    """Small recordings with loud spikes whose times are known: `(recording, sorting)`."""

    def make(durations=(8.0,), num_channels=4, num_units=3, **kwargs):
        recording, truth = generate_ground_truth_recording(
            durations=list(durations),
            num_channels=num_channels,
            num_units=num_units,
            sampling_frequency=kwargs.pop("sampling_frequency", 30000.0),
            noise_kwargs={"noise_levels": 3.0},
            seed=4,
            **kwargs,
        )
        return recording.save(format="memory", sharedmem=False, progress_bar=False), truth

    return make


@pytest.fixture(scope="session")
def tetrode(make_ground_truth):
    return make_ground_truth()


@pytest.fixture(scope="session")
def tetrode_result(sorter, tetrode):
    return sorter.sort(tetrode[0])


def prepared_white(traces):
    """Traces of noise of SD 1 on a column of contacts 20 um apart, as preparation and whitening would leave them."""
    num_channels = traces.shape[1]
    recording = NumpyRecording([traces], sampling_frequency=RATE)
    positions = np.stack([np.zeros(num_channels), 20.0 * np.arange(num_channels)], axis=1)
    recording.set_dummy_probe_from_locations(positions)
    return WhitenedTraces(
        recording=recording,
        noise_levels=np.ones(num_channels, dtype="float32"),
        positions=positions,
        shanks=np.zeros(num_channels, dtype="int64"),
        channel_indices=np.arange(num_channels),
        segment_indices=np.array([0]),
        unit="raw",
        sample_sd=np.ones(num_channels, dtype="float32"),
    )


def table_of(samples, channels, amplitudes):
    """`Spikes` of one segment."""
    return Spikes(
        segment_index=np.zeros(len(samples), dtype="int64"),
        sample_index=samples.astype("int64"),
        channel_index=channels.astype("int64"),
        amplitude=amplitudes.astype("float32"),
    )


class WhiteTraces:
    """White noise of SD 1 on a column of contacts 20 um apart, with spikes of known templates put in.

    Attributes:
        templates: `(num_units, 90, num_channels)`, the spike's time at sample 30.
        samples, units: `(num_spikes,)`, sorted by time.
        is_alone: `(num_spikes,)` bool, no other spike within 100 samples.
        prepared: the recording, as preparation and whitening would leave it.
        peaks: table of the spikes, each at its unit's largest channel.
    """

    def __init__(self, templates, trains, num_samples):
        num_channels = templates.shape[2]
        traces = np.random.default_rng(1).normal(size=(num_samples, num_channels)).astype("float32")
        self.templates = templates
        self.samples = np.concatenate(trains)
        self.units = np.repeat(np.arange(len(trains)), [len(train) for train in trains])
        order = np.argsort(self.samples, kind="stable")
        self.samples, self.units = self.samples[order], self.units[order]
        gaps = np.diff(self.samples, prepend=-1000, append=num_samples + 1000)
        self.is_alone = np.minimum(gaps[:-1], gaps[1:]) > 100
        for sample, unit in zip(self.samples, self.units):
            traces[sample - 30 : sample + 60] += templates[unit]
        self.prepared = prepared_white(traces)
        channels = np.ptp(templates, axis=1).argmax(axis=1)[self.units]
        self.peaks = table_of(self.samples, channels, traces[self.samples, channels])

    def unit_templates(self, waveforms=None):
        """`UnitTemplates` of the spikes' own templates, or of others."""
        waveforms = self.templates if waveforms is None else waveforms
        return UnitTemplates.at_rest(waveforms.astype("float32"), 30, self.prepared.recording)


class MovingTraces:
    """White noise with neurons that move by 50 um in a minute before 24 contacts, narrower than these are apart.

    Args:
        rests_um: place of each neuron at rest.
        sizes: largest amplitude of each, SDs of the noise.
        num_spikes: of each; of one neuron they are at least 6.7 ms apart.
        delay: each neuron may fire so many samples after those before it; without it never within its 6.7 ms.

    Attributes:
        samples, units: `(num_spikes,)`, sorted by time.
        whitened: the recording with its motion, as preparation and whitening would leave it (not moved back).
        events: table of the spikes, each at the channel nearest to its neuron at rest.
    """

    SECONDS, NUM_CHANNELS, WIDTH_UM = 60, 24, 14.0

    def __init__(self, rests_um, sizes, num_spikes=400, delay=0):
        self.rests_um, self.sizes = np.array(rests_um), np.array(sizes)
        rng = np.random.default_rng(2)
        num_samples = int(self.SECONDS * RATE)
        traces = rng.normal(size=(num_samples, self.NUM_CHANNELS)).astype("float32")
        grid = np.arange(100, num_samples - 200, 200)
        trains = [np.sort(rng.choice(grid, num_spikes, replace=False)) + delay * unit for unit in range(len(rests_um))]
        for unit, train in enumerate(trains):
            for sample in train:
                traces[sample - 30 : sample + 60] += self.template(unit, self.displacement_at(sample))
        self.samples, self.units = np.concatenate(trains), np.repeat(np.arange(len(trains)), [len(t) for t in trains])
        order = np.argsort(self.samples, kind="stable")
        self.samples, self.units = self.samples[order], self.units[order]
        times = np.arange(self.SECONDS) + 0.5
        motion = Motion([self.displacement_at(times * RATE)[:, None]], [times], np.array([230.0]))
        uncorrected = prepared_white(traces)
        self.whitened = dataclasses.replace(uncorrected, motion=motion, uncorrected=uncorrected)
        channels = np.round(self.rests_um / 20.0).astype("int64")[self.units]
        self.events = table_of(self.samples, channels, traces[self.samples, channels])

    def displacement_at(self, samples):
        """Of the tissue, um."""
        return 25 * np.sin(2 * np.pi * samples / (self.SECONDS * RATE))

    def template(self, unit, displacement_um):
        """`(90, NUM_CHANNELS)`, the spike's time at sample 30."""
        time = np.arange(90) - 30
        shape = -np.exp(-0.5 * (time / 3.0) ** 2) + 0.4 * np.exp(-0.5 * ((time - 9) / 6.0) ** 2)
        distances = 20.0 * np.arange(self.NUM_CHANNELS) - self.rests_um[unit] - displacement_um
        return self.sizes[unit] * shape[:, None] * np.exp(-0.5 * (distances / self.WIDTH_UM) ** 2)


def spike_template(size, channel, num_channels=4, width=4.0, decay=1.5):
    """One spike, `(90, num_channels)`: a trough of the given size at sample 30 of a channel, and what follows it."""
    time = np.arange(90) - 30
    shape = -np.exp(-0.5 * (time / width) ** 2) + 0.4 * np.exp(-0.5 * ((time - 3 * width) / (2 * width)) ** 2)
    return size * shape[:, None] * np.exp(-np.abs(np.arange(num_channels) - channel) / decay)


@pytest.fixture(scope="session")
def make_spike_template():
    return spike_template


@pytest.fixture(scope="session")
def make_prepared():
    return prepared_white


@pytest.fixture(scope="session")
def make_white_traces():
    return WhiteTraces


@pytest.fixture(scope="session")
def moving():
    """Three neurons that move, far apart."""
    return MovingTraces((120.0, 262.0, 341.0), (9.0, 12.0, 7.0))


@pytest.fixture(scope="session")
def make_moving_traces():
    return MovingTraces


@pytest.fixture(scope="session")
def two_neurons():
    """Two neurons before four contacts for 20 s; every fifth spike of the second is 0.3 ms after one of the first."""
    rng = np.random.default_rng(0)
    templates = np.stack([spike_template(9.0, 0, width=3.0), spike_template(8.0, 2, width=5.0)]).astype("float32")
    first = np.sort(rng.choice(np.arange(200, 590_000, 300), 400, replace=False))
    alone = np.setdiff1d(np.arange(350, 590_000, 300), first + 150)
    second = np.sort(np.concatenate([first[:80] + 9, rng.choice(alone, 320, replace=False)]))
    return WhiteTraces(templates, [first, second], 600_000)


@pytest.fixture
def make_blobs():
    """Gaussian blobs at given centres: `(features, labels)`."""

    def make(centers, num_spikes=200, seed=0):
        rng = np.random.default_rng(seed)
        centers = np.asarray(centers, dtype="float64")
        labels = np.repeat(np.arange(len(centers)), num_spikes)
        return centers[labels] + rng.normal(size=(len(labels), centers.shape[1])), labels

    return make

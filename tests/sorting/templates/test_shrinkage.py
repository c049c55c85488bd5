import numpy as np
import pytest

from huidurep_hf.sorting.parameters import SortingParameters, TemplateSettings
from huidurep_hf.sorting.templates.averages import average_templates
from huidurep_hf.sorting.templates.find_templates import find_templates
from huidurep_hf.sorting.templates.shrinkage import without_noise

SETTINGS = TemplateSettings()
NUM_UNITS, NUM_SAMPLES, NUM_CHANNELS = 12, 90, 8


@pytest.fixture(scope="module")
def templates():
    """Twelve units of four temporal shapes, each largest on a channel of its own and smaller farther away."""
    time = np.arange(NUM_SAMPLES)[:, None] - 30
    shapes = -np.exp(-0.5 * (time / [3, 4, 5, 4]) ** 2) + [0.2, 0.4, 0.3, 0.5] * np.exp(-0.5 * ((time - 15) / 8) ** 2)
    channels = np.arange(NUM_CHANNELS)
    units = [
        np.outer(shapes[:, unit % 4], (2 + unit / 4) * np.exp(-0.5 * np.abs(channels - unit % NUM_CHANNELS)))
        for unit in range(NUM_UNITS)
    ]
    return np.array(units)


def averaged(templates, counts, seed=0):
    noise = np.random.default_rng(seed).normal(size=templates.shape)
    return templates + noise / np.sqrt(counts)[:, None, None]


def errors(found, templates):
    return np.square(found - templates).sum(axis=(1, 2))


def test_templates_of_few_spikes_lose_most_of_their_noise(templates):
    counts = np.full(NUM_UNITS, 40)
    noisy = averaged(templates, counts)
    cleaned = without_noise(noisy, counts, np.ones(NUM_CHANNELS), SETTINGS)
    assert cleaned.shape == templates.shape and cleaned.dtype == np.float32
    # Ten of 90 dimensions are kept as they are.
    share = errors(cleaned, templates) / errors(noisy, templates)
    assert share.mean() < 0.3 and share.max() < 0.45


def test_a_shape_that_no_other_unit_has_is_kept_where_many_spikes_tell_of_it(templates):
    time = np.arange(NUM_SAMPLES)
    others = np.tile(templates, (4, 1, 1))
    rare = 0.7 * np.sin(time / 2.0) * np.exp(-0.5 * ((time - 60) / 8) ** 2)
    units = np.concatenate([others, others[:1]])
    units[-1, :, 0] += rare
    counts = np.full(len(units), 40)
    few = without_noise(averaged(units, counts), counts, np.ones(NUM_CHANNELS), SETTINGS)[-1]
    counts = np.full(len(units), 5000)
    many = without_noise(averaged(units, counts), counts, np.ones(NUM_CHANNELS), SETTINGS)[-1]
    energy = np.square(rare).sum()
    assert np.square(many - units[-1]).sum() < 0.1 * energy
    assert np.square(few - units[-1]).sum() < np.square(averaged(units, np.full(len(units), 40))[-1] - units[-1]).sum()


def test_each_channel_is_shrunk_by_its_own_noise(templates):
    counts = np.full(NUM_UNITS, 40)
    scale = np.where(np.arange(NUM_CHANNELS) == 7, 2.0, 1.0)
    rng = np.random.default_rng(1)
    noise = rng.normal(size=templates.shape) / np.sqrt(40) * scale

    def share_left(noise_levels):
        left = without_noise(noise + templates, counts, noise_levels, SETTINGS) - templates
        return (np.square(left).sum(axis=1) / np.square(noise).sum(axis=1))[:, 7].mean()

    assert share_left(scale) < 0.3
    # Taken for noise of 1, three quarters of it would pass for a shape of their own.
    assert share_left(np.ones(NUM_CHANNELS)) > 0.5


def test_no_templates_and_templates_of_noise_alone():
    assert without_noise(np.zeros((0, 0, 4), dtype="float32"), np.zeros(0, dtype=int), np.ones(4), SETTINGS).shape == (
        0,
        0,
        4,
    )
    noise = averaged(np.zeros((2, NUM_SAMPLES, 4)), np.full(2, 25))
    cleaned = without_noise(noise, np.full(2, 25), np.ones(4), SETTINGS)
    assert np.square(cleaned).sum() < 0.2 * np.square(noise).sum()
    assert not without_noise(np.zeros((2, NUM_SAMPLES, 4)), np.zeros(2, dtype=int), np.ones(4), SETTINGS).any()


def test_templates_found_of_few_spikes_are_nearer_to_the_neurons_than_averages(make_white_traces, make_spike_template):
    units = [(6.0, 0, 3.0), (8.0, 3, 5.0), (7.0, 6, 4.0), (5.0, 1, 4.0), (9.0, 5, 3.0), (6.0, 7, 5.0)]
    spikes = np.stack([make_spike_template(size, channel, NUM_CHANNELS, width) for size, channel, width in units])
    trains = [np.arange(200 + 150 * unit, 36_000, 1000) for unit in range(len(units))]
    traces = make_white_traces(spikes.astype("float32"), trains, 37_000)
    arguments = traces.units, traces.samples, traces.peaks, traces.prepared
    averages = average_templates(*arguments, SETTINGS)
    found = find_templates(*arguments, SortingParameters()).waveforms_of(0)
    is_seen = found.any(axis=1)
    assert is_seen.sum(axis=1).min() >= 3
    off = [(np.square(each - spikes).sum(axis=1) * is_seen).sum(axis=1) for each in (found, averages)]
    assert (off[0] < 0.6 * off[1]).all()

import numpy as np
import pytest

from huidurep_hf.sorting.matching.probabilities import subtract_overlaps
from huidurep_hf.sorting.matching.template_fit import delay_by_half, fit_templates
from huidurep_hf.sorting.merging import clusters as joining
from huidurep_hf.sorting.merging.clusters import join_clusters
from huidurep_hf.sorting.templates.spike_waveforms import SpikeWaveforms, TemplateCleaner

RATE = 30000.0
# Of the waveforms' window in the templates' one: 0.5 ms before the spike of 1 ms.
INNER = slice(15, 66)


@pytest.fixture(scope="module")
def waveforms(two_neurons):
    return SpikeWaveforms.cut(two_neurons.prepared, two_neurons.peaks)


def test_average_is_the_template_on_every_channel(two_neurons, waveforms):
    shifts = np.zeros(len(two_neurons.units), dtype="int64")
    labels = np.where(two_neurons.is_alone, two_neurons.units, -1)
    templates, counts = waveforms.average(labels, shifts, seed=0)
    assert counts.tolist() == [[300] * 4, [300 if (labels == 1).sum() > 300 else (labels == 1).sum()] * 4]
    np.testing.assert_allclose(templates, two_neurons.templates[:, INNER], atol=0.35)


def test_cleaning_takes_noise_away_and_leaves_the_template(two_neurons, waveforms):
    shifts = np.zeros(len(two_neurons.units), dtype="int64")
    is_chosen = np.arange(len(two_neurons.units)) % 12 == 0
    few = np.where(is_chosen & two_neurons.is_alone, two_neurons.units, -1)
    templates, counts = waveforms.average(few, shifts, seed=0)
    cleaned = TemplateCleaner(waveforms, seed=0)(templates, counts)
    truth = two_neurons.templates[:, INNER]
    assert np.square(cleaned - truth).sum() < 0.5 * np.square(templates - truth).sum()


def test_alignment_moves_the_window(two_neurons, waveforms):
    shifts = np.full(5, 3)
    later = waveforms.aligned(np.arange(5), shifts)
    traces = two_neurons.prepared.recording.get_traces()
    for row, spike in zip(later, range(5)):
        channels = waveforms.channels[two_neurons.peaks["channel_index"][spike]]
        start = two_neurons.samples[spike] + 3 - waveforms.num_before
        np.testing.assert_array_equal(row, traces[start : start + waveforms.num_samples][:, channels])


def test_spikes_go_to_their_template_at_their_time(two_neurons, waveforms):
    late = np.full(len(two_neurons.units), 3)
    fit = fit_templates(waveforms, two_neurons.templates[:, INNER], late, RATE)
    alone = two_neurons.is_alone
    assert (fit.labels == two_neurons.units)[alone].mean() > 0.99
    assert (np.abs(fit.shifts[alone]) <= 1).mean() > 0.97
    assert fit.probabilities[alone].mean() > 0.97
    judged = fit_templates(waveforms, two_neurons.templates[:, INNER], late, RATE, judged=1 - two_neurons.units)
    assert judged.probabilities[alone].mean() < 0.03


def test_the_more_probable_the_more_often_right(make_spike_template, make_white_traces):
    # Two neurons too alike to be told apart in every spike.
    alike = [make_spike_template(7.0, 1, decay=decay) for decay in (1.5, 2.0)]
    rng = np.random.default_rng(0)
    times = rng.permutation(np.arange(200, 590_000, 250))[:2000]
    traces = make_white_traces(np.stack(alike).astype("float32"), [times[:1000], times[1000:]], 600_000)
    waveforms = SpikeWaveforms.cut(traces.prepared, traces.peaks)
    fit = fit_templates(waveforms, traces.templates[:, INNER], np.zeros(2000, dtype="int64"), RATE)
    is_right = fit.labels == traces.units
    assert 0.7 < is_right.mean() < 0.99
    shares = []
    for low, high in ((0.5, 0.65), (0.65, 0.8), (0.8, 1.01)):
        inside = (fit.probabilities >= low) & (fit.probabilities < high)
        shares.append(is_right[inside].mean())
        # In noise that is all Gaussian, spikes are right more often than the part of the evidence that is used says.
        assert shares[-1] > fit.probabilities[inside].mean() - 0.03
    assert shares == sorted(shares) and shares[-1] > shares[0] + 0.1


def test_a_large_neuron_between_two_contacts_is_one(make_spike_template, make_white_traces):
    # Detected at either contact, and so cut on other channels of 24, though its template is the largest at one of them.
    template = make_spike_template(20.0, 9.45, num_channels=24, decay=3.0)
    times = np.arange(200, 590_000, 1500)
    traces = make_white_traces(template[None].astype("float32"), [times], 600_000)
    halves = np.arange(len(times)) % 2
    traces.peaks["channel_index"] = 9 + halves
    waveforms = SpikeWaveforms.cut(traces.prepared, traces.peaks)
    assert set(waveforms.channels[9]) != set(waveforms.channels[10])
    labels, _ = join_clusters(halves, traces.samples, waveforms, RATE, min_valley=0.3, min_cluster_size=10)
    assert np.unique(labels).tolist() == [0]


def test_halves_of_one_neuron_are_joined_and_two_neurons_are_not(two_neurons, waveforms):
    alone, units = two_neurons.is_alone, two_neurons.units
    halves = 2 * units + np.random.default_rng(0).integers(2, size=len(units))
    labels, shifts = join_clusters(
        np.where(alone, halves, -1), two_neurons.samples, waveforms, RATE, min_valley=0.3, min_cluster_size=10
    )
    first, second = (np.bincount(labels[alone & (units == unit)]).argmax() for unit in (0, 1))
    # Where the two overlap may be a third cluster; that is judged elsewhere.
    assert first != second
    assert (labels == np.where(units == 0, first, second))[alone].mean() > 0.98
    assert (np.abs(shifts[alone]) <= 1).mean() > 0.97


def test_half_a_valley_keeps_a_neuron_from_one_of_twice_its_size(make_spike_template, make_white_traces, monkeypatch):
    # Two neurons of varying size, which leaves a shallow valley between them.
    sizes = np.append(np.linspace(3.0, 7.0, 20), np.linspace(8.0, 19.0, 20))
    shape = make_spike_template(1.0, 1)
    times = np.random.default_rng(0).permutation(np.arange(200, 590_000, 600))[:800].reshape(40, 20)
    traces = make_white_traces((sizes[:, None, None] * shape).astype("float32"), np.sort(times), 600_000)
    waveforms = SpikeWaveforms.cut(traces.prepared, traces.peaks)
    given = (traces.units >= 20).astype("int64")

    def joining_dial():
        for min_valley in np.linspace(0.05, 1.0, 20):
            labels, _ = join_clusters(
                given, traces.samples, waveforms, RATE, min_valley=min_valley, min_cluster_size=10, is_moved=True
            )
            if labels.max() == 0:
                return min_valley
        return 1.05

    dial = joining_dial()
    monkeypatch.setattr(joining, "MIN_RELATIVE_SIZE", 0.0)
    assert 0.05 < joining_dial() < dial - 0.1


@pytest.mark.parametrize("label", [-1, 0])
def test_nothing_to_join(two_neurons, waveforms, label):
    labels = np.full(len(two_neurons.units), label)
    joined, shifts = join_clusters(labels, two_neurons.samples, waveforms, RATE, min_valley=0.3, min_cluster_size=10)
    assert len(set(joined[two_neurons.is_alone])) == 1 and joined.max() == label
    assert len(shifts) == len(labels)


def test_half_a_sample_twice_is_one_sample(two_neurons):
    templates = two_neurons.templates
    twice = delay_by_half(delay_by_half(templates))
    np.testing.assert_allclose(twice[:, 10:80], templates[:, 9:79], atol=0.02)


def test_overlapping_spikes_are_judged_without_each_other(two_neurons):
    traces, units = two_neurons, two_neurons.units
    waveforms = SpikeWaveforms.cut(traces.prepared, traces.peaks)
    overlapped = ~traces.is_alone
    assert overlapped.sum() == 160
    no_shift = np.zeros(len(units), dtype="int64")
    before = fit_templates(waveforms, traces.templates[:, INNER], no_shift, RATE, judged=units).probabilities
    subtract_overlaps(waveforms, traces.peaks, units, 0, traces.unit_templates())
    after = fit_templates(waveforms, traces.templates[:, INNER], no_shift, RATE, judged=units).probabilities
    assert before[overlapped].mean() < 0.6
    assert after[overlapped].mean() > 0.97
    np.testing.assert_allclose(after[~overlapped], before[~overlapped], atol=0.05)


def test_overlaps_are_the_same_in_blocks(two_neurons):
    traces = two_neurons
    whole = SpikeWaveforms.cut(traces.prepared, traces.peaks)
    subtract_overlaps(whole, traces.peaks, traces.units, 0, traces.unit_templates())
    part = SpikeWaveforms.cut(traces.prepared, traces.peaks[100:200])
    subtract_overlaps(part, traces.peaks, traces.units, 100, traces.unit_templates())
    np.testing.assert_allclose(part.waveforms, whole.waveforms[100:200], atol=1e-5)

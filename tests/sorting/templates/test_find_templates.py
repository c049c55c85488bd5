import numpy as np

from huidurep_hf.recording.spikes.neighborhood import find_neighborhoods
from huidurep_hf.sorting.parameters import SortingParameters, TemplateSettings
from huidurep_hf.sorting.templates.find_templates import find_templates, visible_part


def test_channels_without_the_unit_are_left_out(two_neurons):
    neighborhoods = find_neighborhoods(two_neurons.prepared.positions, two_neurons.prepared.shanks, 2)
    rng = np.random.default_rng(0)
    noisy = two_neurons.templates + rng.normal(size=two_neurons.templates.shape) / np.sqrt(20)
    # Of two channels, the peak's own and its neighbour.
    kept = visible_part(noisy, np.array([20, 20]), neighborhoods, TemplateSettings())
    assert kept.any(axis=1).sum(axis=1).tolist() == [2, 2]
    assert visible_part(0.01 * noisy, np.array([20, 20]), neighborhoods, TemplateSettings()).any(axis=1).sum(
        axis=1
    ).tolist() == [1, 1]


def test_templates_are_those_of_the_neurons(two_neurons):
    labels = np.where(two_neurons.is_alone, two_neurons.units, -1)
    templates = find_templates(
        labels, two_neurons.samples, two_neurons.peaks, two_neurons.prepared, SortingParameters()
    )
    assert len(templates) == 2 and templates.channels.tolist() == [0, 2]
    error = np.square(templates.waveforms_of(0) - two_neurons.templates).sum(axis=(1, 2))
    assert (error < 0.02 * np.square(two_neurons.templates).sum(axis=(1, 2))).all()

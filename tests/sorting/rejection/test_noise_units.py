import numpy as np
import pytest

from huidurep_hf.sorting.matching.engine import Matcher
from huidurep_hf.sorting.parameters import SortingParameters
from huidurep_hf.sorting.rejection.noise_units import is_noise_unit

PARAMETERS = SortingParameters()


def test_a_template_that_finds_noise_is_rejected(two_neurons):
    templates = two_neurons.unit_templates()
    matched = Matcher(two_neurons.prepared, templates, PARAMETERS).match()
    assert is_noise_unit(matched, templates, PARAMETERS).tolist() == [False, False]
    # The average of the few noise samples that look most like a spike of 5 SD: an average of selected noise.
    traces = two_neurons.prepared.recording.get_traces()[:, 3]
    deepest = np.flatnonzero((traces < -3.8) & (np.arange(len(traces)) > 100) & (np.arange(len(traces)) < 590_000))
    far = deepest[[np.abs(two_neurons.samples - sample).min() > 100 for sample in deepest]]
    noise = np.zeros((1, 90, 4), dtype="float32")
    noise[0, :, 3] = np.mean([traces[sample - 30 : sample + 60] for sample in far], axis=0)
    noise[0, 31:35, 3] = -1.8
    templates = two_neurons.unit_templates(np.concatenate([two_neurons.templates, noise]))
    found = Matcher(two_neurons.prepared, templates, PARAMETERS).match()
    assert np.sum(found["unit_index"] == 2) > 5
    assert is_noise_unit(found, templates, PARAMETERS).tolist() == [False, False, True]


def test_the_excess_is_that_of_the_projection(two_neurons):
    """A faint neuron's spikes lie above the threshold by what they project on its template beyond the least."""
    templates = two_neurons.unit_templates()
    matched = Matcher(two_neurons.prepared, templates, PARAMETERS).match()
    traces = two_neurons.prepared.recording.get_traces()
    of_first = matched[matched["unit_index"] == 0]
    length = np.linalg.norm(two_neurons.templates[0])
    least = (PARAMETERS.min_gain + length**2) / (2 * length)
    is_alone = np.isin(of_first["sample_index"], two_neurons.samples[two_neurons.is_alone])
    cut = np.stack([traces[sample - 30 : sample + 60] for sample in of_first["sample_index"][is_alone]])
    excess = np.tensordot(cut, two_neurons.templates[0], axes=2) / length - least
    for limit, is_noise in ((np.median(excess) - 0.3, False), (np.median(excess) + 0.3, True)):
        parameters = SortingParameters(min_excess=limit)
        assert is_noise_unit(of_first[is_alone], templates, parameters).tolist() == [is_noise, True]


def test_under_drift_more_is_asked_for(moving):
    from huidurep_hf.sorting.templates.find_templates import find_templates

    templates = find_templates(moving.units, moving.samples, moving.events, moving.whitened, PARAMETERS)
    matched = Matcher(moving.whitened.uncorrected, templates, PARAMETERS).match()
    assert is_noise_unit(matched, templates, PARAMETERS).tolist() == [False] * 3
    strict = SortingParameters(min_excess_under_drift=100.0)
    assert is_noise_unit(matched, templates, strict).tolist() == [True] * 3
    assert is_noise_unit(matched, templates, SortingParameters(min_excess=100.0)).tolist() == [False] * 3


@pytest.mark.parametrize("num_units", [0, 2])
def test_a_unit_without_spikes_is_noise(two_neurons, num_units):
    templates = two_neurons.unit_templates(two_neurons.templates[:num_units])
    matched = Matcher(two_neurons.prepared, templates, PARAMETERS).match()[:0]
    assert is_noise_unit(matched, templates, PARAMETERS).tolist() == [True] * num_units

import numpy as np
import pytest

from huidurep_hf.sorting.matching.template_fit import fit_templates
from huidurep_hf.sorting.parameters import TemplateFitSettings, WaveformSettings
from huidurep_hf.sorting.templates.spike_waveforms import SpikeWaveforms
from huidurep_hf.workers import Workers

RATE = 30000.0
# Of the waveforms' window in the templates' one: 0.5 ms before the spike of 1 ms.
INNER = slice(15, 66)
SETTINGS = TemplateFitSettings()


@pytest.fixture(scope="module")
def waveforms(two_neurons):
    return SpikeWaveforms.cut(two_neurons.prepared, two_neurons.peaks, WaveformSettings())


def test_spikes_go_to_their_template_at_their_time(two_neurons, waveforms):
    late = np.full(len(two_neurons.units), 3)
    fit = fit_templates(waveforms, two_neurons.templates[:, INNER], late, RATE, SETTINGS)
    alone = two_neurons.is_alone
    assert (fit.labels == two_neurons.units)[alone].mean() > 0.99
    assert (np.abs(fit.shifts[alone]) <= 1).mean() > 0.97
    # The energy of the template: what subtracting it takes away, on average.
    energies = np.square(two_neurons.templates[:, INNER]).sum(axis=(1, 2))
    for unit in (0, 1):
        own = alone & (two_neurons.units == unit)
        assert fit.gains[own].mean() == pytest.approx(energies[unit], rel=0.05)
    shared = fit_templates(waveforms, two_neurons.templates[:, INNER], late, RATE, SETTINGS, Workers(3))
    for name in ("labels", "shifts", "gains"):
        np.testing.assert_array_equal(getattr(shared, name), getattr(fit, name))


def test_without_templates_there_is_no_label(two_neurons, waveforms):
    fit = fit_templates(
        waveforms, two_neurons.templates[:0, INNER], np.ones(len(two_neurons.units), int), RATE, SETTINGS
    )
    assert set(fit.labels) == {-1} and set(fit.shifts) == {1} and not fit.gains.any()


def test_known_fits_are_taken_where_nothing_has_changed(two_neurons, waveforms):
    templates, no_shift = two_neurons.templates[:, INNER], np.zeros(len(two_neurons.units), dtype="int64")
    known = {}
    first = fit_templates(waveforms, templates, no_shift, RATE, SETTINGS, known=known)
    shifted = np.stack([templates[0], np.roll(templates[1], 2, axis=0)])
    for given, shifts in (
        (templates, no_shift),
        (shifted, no_shift),
        (shifted, no_shift + 2),
        (templates[:1], no_shift),
    ):
        found, anew = (fit_templates(waveforms, given, shifts, RATE, SETTINGS, known=each) for each in (known, None))
        for name in ("labels", "shifts", "gains"):
            np.testing.assert_array_equal(getattr(found, name), getattr(anew, name))
    again = fit_templates(waveforms, templates, no_shift, RATE, SETTINGS, known=known)
    np.testing.assert_array_equal(again.gains, first.gains)

import dataclasses

import numpy as np
import pandas as pd

from huidurep_hf.report.summary import similar_pairs, summarise, why_label
from huidurep_hf.report.unit_measures import measure_units

from ..made_results import make_result


def test_what_deserves_attention_is_said():
    result = make_result(4, 8000, seconds=(120.0,))
    events = result.events.copy()
    is_first = events["unit"] == 0
    # Every other spike of unit 0 is half as large; unit 1 stops early; unit 2 has a foreign spike after each fifth.
    events.loc[is_first & (np.arange(len(events)) // 4 % 2 == 0), "amplitude"] /= 2
    events = events[(events["unit"] != 1) | (events["time_s"] < 40)]
    of_third = events[events["unit"] == 2][::5]
    foreign = of_third.assign(sample=of_third["sample"] + 40, time_s=of_third["time_s"] + 40 / 30000)
    events = pd.concat([events, foreign]).sort_values("sample")
    templates = result.templates.copy()
    templates[3] = 0.9 * templates[2]
    tables = {
        field.name: getattr(result, field.name) for field in dataclasses.fields(result) if field.name != "sorting"
    }
    noise = result.noise.copy()
    noise.iloc[10:, 2:] *= 1.5
    result = type(result).from_tables(**{**tables, "events": events, "templates": templates, "noise": noise})
    sentences = summarise(result, measure_units(result))
    said = " ".join(sentences)
    assert "Amplitudes with two modes, which may be two neurons: unit 0." in said
    assert "Silent in more than half of the recording: unit 1." in said
    assert "foreign spikes, by the refractory period: unit 2." in said
    assert "which may be one neuron: 2 and 3 (1.00)." in said
    assert "The noise rises by 50% from the start to the end." in said
    assert similar_pairs(measure_units(result))[0][:2] == (2, 3)
    assert "contamination" in why_label(result.units.iloc[2], result.label_settings)


def test_a_correlogram_is_of_the_unit_and_its_neighbors(made_result):
    measures = measure_units(made_result)
    units = made_result.units
    for unit, measured in enumerate(measures):
        assert measured.autocorrelogram.shape == (100,) and len(measured.crosscorrelograms) == 3
        assert measured.crosscorrelograms[0].sum() > 1000 and not measured.autocorrelogram[45:55].any()
        assert unit not in measured.nearest
        assert measured.probabilities.sum() == units["num_spikes"][unit]
        np.testing.assert_allclose(measured.rate_hz.mean(), units["num_spikes"][unit] / 60, rtol=1e-6)
        assert measured.amplitudes.counts.max() == 255

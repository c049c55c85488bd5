import types

import numpy as np
import pytest
from spikeinterface.core import estimate_templates

from huidurep_hf import HuiduRepFeatureExtractor
from huidurep_hf.evaluation.representation.added_spikes import add_spikes, evaluate_denoiser, model_gain_db


@pytest.fixture(scope="module")
def added(generated):
    recording, sorting = generated
    waveforms = estimate_templates(recording, sorting.to_spike_vector(), sorting.unit_ids, 60, 120)
    waveforms = waveforms * np.hanning(180)[None, :, None]
    templates = types.SimpleNamespace(
        waveforms=waveforms[None].astype("float32"), displacements_um=np.zeros(1), peak_sample=60
    )
    return add_spikes(recording, templates, spikes_per_unit=30, seed=1), waveforms


@pytest.mark.slow
def test_clean_waveforms_are_the_templates(added):
    (spikes, clean), waveforms = added
    assert clean.shape == spikes.waveforms.shape == (120, 121, 8)
    for unit in range(4):
        of_unit = clean[spikes.labels == unit]
        # The unit's template is added, whatever lies under it: all its clean spikes are alike, but for where the
        # noise moved the trough.
        assert np.median(of_unit.min(axis=(1, 2))) == pytest.approx(of_unit.min(axis=(1, 2)).min(), rel=0.05)
    largest = np.abs(waveforms).max(axis=(1, 2)).argmax()
    assert spikes.labels[np.abs(clean).max(axis=(1, 2)).argmax()] == largest
    # What is left without the clean spike is noise, and now and then another spike.
    rest = spikes.waveforms - clean
    assert 1.4826 * np.median(np.abs(rest)) == pytest.approx(1.0, abs=0.3)


def test_denoisers_are_compared(added, build_tiny):
    from huidurep_hf import HuiduRepModel

    (spikes, clean), _ = added
    model = build_tiny(HuiduRepModel)
    extractor = HuiduRepFeatureExtractor.from_config(model.config)
    rows = evaluate_denoiser(spikes, clean, model, extractor)
    everything = rows[-1]
    assert (everything["snr_min"], everything["snr_max"], everything["num_spikes"]) == (0.0, None, 120)
    gains = {name: scores["gain_db"] for name, scores in everything["denoisers"].items()}
    assert list(gains) == ["none", "PCA", "random decoder", "model"]
    assert gains["none"] == 0.0 and gains["PCA"] > 1.0
    assert gains["model"] < gains["PCA"]  # untrained
    # Alone, in one range of SNR.
    faint = rows[0]
    snr_range = (faint["snr_min"], faint["snr_max"] or np.inf)
    gain = model_gain_db(spikes, clean, model, extractor, snr_range)
    assert gain == pytest.approx(faint["denoisers"]["model"]["gain_db"], abs=1e-4)
    assert np.isnan(model_gain_db(spikes, clean, model, extractor, (500.0, 600.0)))

import numpy as np
import pytest

from huidurep_hf import HuiduRepFeatureExtractor
from huidurep_hf.evaluation.representation.robustness import compare_variants, cut_window, mask_channels


def test_dead_channels_are_the_same_for_all_spikes_and_spare_the_peak(spikes):
    masked = mask_channels(spikes, fraction=0.25, seed=1)
    assert masked.channel_mask[:, 0].all()
    gone = spikes.channel_mask & ~masked.channel_mask
    assert len(np.unique(spikes.channel_indices[gone])) == 2
    assert (masked.waveforms.transpose(0, 2, 1)[gone] == 0).all()
    assert (masked.whitened.transpose(0, 2, 1)[gone] == 0).all()
    kept = masked.channel_mask
    assert (masked.waveforms.transpose(0, 2, 1)[kept] == spikes.waveforms.transpose(0, 2, 1)[kept]).all()


def test_a_short_window_keeps_the_trough_where_it_was(spikes):
    short = cut_window(spikes, ms_before=0.3, ms_after=0.74)
    assert short.waveforms.shape[1] == 9 + 22
    assert (short.waveforms[:, short.peak_sample] == spikes.waveforms[:, spikes.peak_sample]).all()


def test_variants_are_scored_alike(spikes, tiny_model):
    extractor = HuiduRepFeatureExtractor.from_config(tiny_model.config)
    variants = {"as recorded": spikes, "again": spikes, "short": cut_window(spikes)}
    scores = compare_variants(variants, tiny_model, extractor, num_seeds=2)
    assert scores["as recorded"] == scores["again"]
    assert all(len(values) == 2 for methods in scores.values() for values in methods.values())
    assert np.mean(scores["as recorded"]["PCA-32"]) > 0.5
    assert scores["short"]["PCA-32"] != pytest.approx(scores["as recorded"]["PCA-32"])

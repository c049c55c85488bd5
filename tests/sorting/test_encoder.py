import numpy as np
import pytest
import torch

from huidurep_hf.embedding.peaks import embed_peaks
from huidurep_hf.model.feature_extraction_huidurep import HuiduRepFeatureExtractor
from huidurep_hf.model.modeling_huidurep import HuiduRepModel
from huidurep_hf.recording.scan import prepare
from huidurep_hf.recording.spikes.detection import detect
from huidurep_hf.sorting.encoder import SpikeEncoder
from huidurep_hf.sorting.spikes import Spikes
from huidurep_hf.workers import Workers


@pytest.fixture(scope="module")
def prepared(generated):
    return prepare(generated[0])


def embedded(model, prepared):
    extractor = HuiduRepFeatureExtractor.from_config(model.config)
    peaks = Spikes.from_peaks(detect(prepared))
    batches = list(embed_peaks(model.eval(), extractor, prepared, peaks, batch_size=100))
    return prepared.positions[peaks["channel_index"]], batches, SpikeEncoder(model, extractor)(prepared, peaks)


def test_spikes_are_where_the_model_places_them(build_tiny, prepared):
    model = build_tiny(HuiduRepModel)
    with torch.no_grad():
        # Far from any contact, where no centre of mass would be.
        model.backbone.localizer.bias.fill_(1000.0)
    peak_positions, batches, spikes = embedded(model, prepared)
    places = peak_positions + np.concatenate([batch.locations for batch in batches])
    np.testing.assert_allclose(spikes["location_um"], places, rtol=1e-4)
    assert (np.abs(spikes["location_um"] - peak_positions) > 1000).all()


def test_a_model_that_gives_no_places_leaves_the_centre_of_mass(build_tiny, prepared):
    model = build_tiny(HuiduRepModel, encoder_type="time", origin="peak")
    peak_positions, batches, spikes = embedded(model, prepared)
    assert all(batch.locations is None for batch in batches)
    apart = np.abs(spikes["location_um"] - peak_positions).max()
    assert 0 < apart <= max(np.abs(batch.positions).max() for batch in batches)


def test_a_row_for_each_spike_whatever_the_batches_and_workers(tiny_model, prepared):
    encoder = SpikeEncoder(tiny_model, HuiduRepFeatureExtractor.from_config(tiny_model.config))
    peaks = Spikes.from_peaks(detect(prepared))[:200]
    whole = encoder(prepared, peaks)
    assert whole.names == [*peaks.names, "embedding", "location_um", "size"]
    assert whole["embedding"].shape == (200, encoder.embedding_size)
    assert (whole["size"] > 0).all()
    for batch_size, num_workers in ((7, 1), (512, 3), (7, 3)):
        parts = encoder(prepared, peaks, batch_size=batch_size, workers=Workers(num_workers))
        for name in ("embedding", "location_um", "size"):
            np.testing.assert_allclose(parts[name], whole[name], rtol=1e-4, atol=1e-4)
    for wanted in (("embedding", "location_um"), ("location_um",)):
        some = encoder(prepared, peaks, columns=wanted)
        assert some.names == [*peaks.names, *wanted]
        for name in wanted:
            np.testing.assert_array_equal(some[name], whole[name])
    nothing = encoder(prepared, peaks[:0])
    assert nothing["embedding"].shape == (0, encoder.embedding_size) and len(nothing) == 0

import numpy as np
import torch

from huidurep_hf.embedding.peaks import embed_peaks
from huidurep_hf.model.feature_extraction_huidurep import HuiduRepFeatureExtractor
from huidurep_hf.model.modeling_huidurep import HuiduRepModel
from huidurep_hf.recording.preprocessing.preparation import prepare
from huidurep_hf.recording.spikes.detection import detect
from huidurep_hf.sorting.embedded_spikes import embed_spikes


def embedded(model, recording):
    extractor = HuiduRepFeatureExtractor.from_config(model.config)
    prepared = prepare(recording)
    peaks = detect(prepared)
    batches = list(embed_peaks(model.eval(), extractor, prepared, peaks, batch_size=100))
    return prepared.positions[peaks["channel_index"]], batches, embed_spikes(model, extractor, prepared, peaks)


def test_spikes_are_where_the_model_places_them(build_tiny, generated):
    model = build_tiny(HuiduRepModel)
    with torch.no_grad():
        # Far from any contact, where no centre of mass would be.
        model.backbone.localizer.bias.fill_(1000.0)
    peak_positions, batches, spikes = embedded(model, generated[0])
    places = peak_positions + np.concatenate([batch.locations for batch in batches])
    np.testing.assert_allclose(spikes.locations_um, places, rtol=1e-4)
    assert (np.abs(spikes.locations_um - peak_positions) > 1000).all()


def test_a_model_that_gives_no_places_leaves_the_centre_of_mass(build_tiny, generated):
    model = build_tiny(HuiduRepModel, encoder_type="time", origin="peak")
    peak_positions, batches, spikes = embedded(model, generated[0])
    assert all(batch.locations is None for batch in batches)
    apart = np.abs(spikes.locations_um - peak_positions).max()
    assert 0 < apart <= max(np.abs(batch.positions).max() for batch in batches)

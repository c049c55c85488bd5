import numpy as np
import pytest

from huidurep_hf import HuiduRepModel
from huidurep_hf.pretraining.dataset import SpikePairs, load_spikes
from huidurep_hf.pretraining.monitor import sort_validation_units
from huidurep_hf.pretraining.view_parameters import ViewParameters
from huidurep_hf.pretraining.views import SpikeViews


@pytest.fixture
def parts(spike_dataset, build_tiny):
    model = build_tiny(HuiduRepModel, num_channels=6)
    pairs = SpikePairs(*load_spikes(spike_dataset))
    return (
        model,
        pairs,
        SpikeViews(ViewParameters(), model.config, pairs.geometry.peak_sample, pairs.geometry.num_samples),
    )


def test_figures_come_from_all_probes_and_repeat(parts):
    model, pairs, views = parts
    seen = []
    read = pairs.read

    def watch(units, random, **options):
        seen.append(set(pairs.probes[units]))
        return read(units, random, **options)

    pairs.read = watch
    figures = sort_validation_units(model, pairs, np.arange(len(pairs)), views, num_sorts=2)
    assert seen == [{"tetrode 0"}, {"linear 0"}] or seen == [{"linear 0"}, {"tetrode 0"}]
    assert -0.5 < figures["ari"] <= 1 and np.isfinite(figures["snr_gain_db"])
    assert sort_validation_units(model, pairs, np.arange(len(pairs)), views, num_sorts=2) == figures


def test_recorded_spikes_have_no_gain_and_a_lone_unit_no_figure(parts):
    model, pairs, views = parts
    pairs.is_recorded[:] = True
    assert set(sort_validation_units(model, pairs, np.arange(8), views, num_sorts=1)) == {"ari"}
    assert sort_validation_units(model, pairs, np.arange(1), views) == {}

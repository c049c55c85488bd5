"""The denoised template of a unit: what it is, and that the page draws it where the model is there."""

import dataclasses
import json

import numpy as np
import pytest

from huidurep_hf import HuiduRepModel, checkpoint_path
from huidurep_hf.model.integrity_huidurep import hash_file
from huidurep_hf.report.denoised_templates import denoise_templates
from huidurep_hf.report.page import write_report
from huidurep_hf.sorting.output.provenance import hash_weights

from ..made_results import make_result


@pytest.fixture(scope="module")
def described_model():
    """Of the bundled model, as a sort describes it."""
    weights = hash_weights(HuiduRepModel.from_pretrained(checkpoint_path("base")))
    return {"name_or_path": "huidurep/base", "commit": None, "dtype": "float32", "weights_sha256": weights}


def with_model(result, described, **changed):
    """The result as the model that is described would have made it, and with other fields."""
    provenance = {**result.provenance, "model": described}
    return dataclasses.replace(result, provenance=provenance, **changed)


def test_it_is_nearer_to_the_spike_than_the_average(described_model):
    result = make_result(6, 600)
    # Averages of four spikes.
    noisy = result.templates + 0.5 * np.random.default_rng(0).normal(size=result.templates.shape).astype("float32")
    denoised = denoise_templates(with_model(result, described_model, templates=noisy))
    assert denoised.shape == noisy.shape and denoised.dtype == np.float32
    is_seen = np.isfinite(denoised)
    # 0.8 ms before the trough to 1.6 ms after it, on eleven channels.
    assert (is_seen.any(axis=2).sum(axis=1) == 72).all() and (is_seen.any(axis=1).sum(axis=1) == 11).all()
    for unit, seen in enumerate(is_seen):
        error, before = (np.std((made[unit] - result.templates[unit])[seen]) for made in (denoised, noisy))
        assert error < 0.8 * before, unit


def test_at_half_the_rate_it_is_the_same(described_model):
    result = make_result(3, 300)
    at_30_khz = denoise_templates(with_model(result, described_model))[:, ::2]
    halved = with_model(result, described_model, templates=np.ascontiguousarray(result.templates[:, ::2]))
    halved.provenance["recording"] = {**result.provenance["recording"], "sampling_rate": 15000.0}
    at_15_khz = denoise_templates(halved)
    is_seen = np.isfinite(at_30_khz) & np.isfinite(at_15_khz)
    assert is_seen.any(axis=2).sum(axis=1).min() >= 35
    assert np.std((at_30_khz - at_15_khz)[is_seen]) < 0.1 * np.std(at_30_khz[is_seen])


@pytest.mark.slow
def test_the_page_draws_it_with_a_legend(described_model, open_page, tmp_path):
    result = with_model(make_result(3, 600), described_model)
    page = open_page(write_report(result, tmp_path / "report.html"), "dark")
    drawn = (
        "(() => { const glyphs = Array.from(Bokeh.documents[0]._all_models.values());"
        " const legend = glyphs.find(model => model.type == 'Legend');"
        " return JSON.stringify(legend.items.map(item => ["
        "item.label.value, item.renderers[0].glyph.line_color.value, Array.from(item.renderers[0].data_source.data.ys,"
        " line => Array.from(line, value => isNaN(value) ? null : value))])) })()"
    )
    lines = []
    for row in (0, 2):
        page.locator(".bk-DataTable").first.locator(".slick-row").nth(row).click()
        (average, _, whole), (denoised, color, clean) = json.loads(page.evaluate(drawn))
        assert (average, denoised, color) == ("average", "denoised by the encoder", "#e07b29")
        assert len(clean) == len(whole) == 12 and len(clean[0]) == len(whole[0])
        # On the channel of the peak it goes with the average.
        is_seen = [value is not None for value in clean[0]]
        line, other = (np.array(values, dtype=float)[is_seen] for values in (clean[0], whole[0]))
        assert np.corrcoef(line, other)[0, 1] > 0.9
        lines.append(line)
    assert not np.array_equal(*lines)


@pytest.mark.parametrize("case", ["earlier version", "folder gone", "other weights"])
def test_without_the_model_there_is_none(described_model, tmp_path, case):
    changed = {
        "earlier version": {"name_or_path": "huidurep/base"},
        "folder gone": {**described_model, "name_or_path": str(tmp_path / "gone")},
        "other weights": {**described_model, "weights_sha256": "0" * 64},
    }[case]
    assert denoise_templates(with_model(make_result(2, 200), changed)) is None


def test_on_another_machine_the_shipped_model_of_the_same_weights_is_taken(described_model, tmp_path):
    result = make_result(2, 200)
    weights = {"model.safetensors": hash_file(checkpoint_path("base") / "model.safetensors")}
    moved = {**described_model, "name_or_path": str(tmp_path / "gone"), "files_sha256": weights}
    here = denoise_templates(with_model(result, described_model))
    np.testing.assert_array_equal(denoise_templates(with_model(result, moved)), here)


def test_no_units_have_none(described_model):
    assert denoise_templates(with_model(make_result(0, 50), described_model)) is None

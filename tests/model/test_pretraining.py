import json

import pytest
import torch

from huidurep_hf import HuiduRepForPreTraining, HuiduRepModel
from huidurep_hf.model.losses_huidurep import prototype_loss


@pytest.fixture
def model(build_tiny):
    return build_tiny(HuiduRepForPreTraining).train()


def views(num_spikes=8, num_channels=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    names = ("waveforms", "clean_waveforms", "paired_waveforms", "paired_clean_waveforms")
    inputs = {name: torch.randn(num_spikes, 72, num_channels, generator=generator) for name in names}
    for name in ("channel_positions", "paired_channel_positions"):
        inputs[name] = 30 * torch.randn(num_spikes, num_channels, 2, generator=generator)
    for name in ("locations", "paired_locations"):
        inputs[name] = 20 * torch.randn(num_spikes, 2, generator=generator)
    return {**inputs, "unit_ids": torch.arange(num_spikes)}


def momentum_equals_trained(model):
    return all(torch.equal(trained, copy) for trained, copy in model._momentum_pairs())


def test_loss_is_the_weighted_sum_of_its_parts(model):
    output = model(**views())
    expected = output.contrastive_loss + model.config.denoising_weight * output.denoising_loss
    expected = expected + model.config.location_weight * output.location_loss
    assert output.location_loss > 0
    assert output.loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_every_trained_parameter_gets_a_gradient_and_no_copy_does(model):
    model(**views()).loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad != name.startswith("momentum_"), name
        assert (parameter.grad is not None) == parameter.requires_grad, name


def test_momentum_branch_starts_equal_and_follows_slowly(model):
    assert momentum_equals_trained(model)
    weight, copy = model.projector[0].weight, model.momentum_projector[0].weight
    before = copy.clone()
    with torch.no_grad():
        weight.add_(1.0)
    model.update_momentum(0.9)
    torch.testing.assert_close(copy, before + 0.1)


def test_forward_leaves_weights_alone(model):
    before = [parameter.clone() for parameter in model.parameters()]
    model.eval()(**views())
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters()))


def test_swapping_the_views_changes_nothing(model):
    model.eval()  # batch norm by its running figures, so that the order of views cannot matter
    inputs = views()
    names = ("waveforms", "clean_waveforms", "channel_positions", "locations")
    swapped = dict(inputs)
    for name in names:
        swapped[name], swapped[f"paired_{name}"] = inputs[f"paired_{name}"], inputs[name]
    with torch.no_grad():
        assert model(**inputs).loss.item() == pytest.approx(model(**swapped).loss.item(), rel=1e-5)


def test_one_view_stands_for_both(model):
    model.eval()
    inputs = {name: value for name, value in views().items() if not name.startswith("paired_")}
    twice = {**inputs, **{f"paired_{name}": value for name, value in inputs.items() if name != "unit_ids"}}
    with torch.no_grad():
        alone, both = model(**inputs, output_hidden_states=True), model(**twice, output_hidden_states=True)
    torch.testing.assert_close(alone.loss, both.loss)
    torch.testing.assert_close(alone.contrastive_loss, both.contrastive_loss)
    # All outputs are of the first view: the batch comes first in each.
    for output in (alone, both):
        assert [len(tokens) for tokens in output.hidden_states] == [8] * (1 + model.config.num_hidden_layers)
    torch.testing.assert_close(alone.hidden_states, both.hidden_states)


def test_waveforms_alone_are_enough(model):
    output = model(torch.randn(4, 72, 3))
    assert torch.isfinite(output.loss)


def test_saved_without_the_copy_and_loaded_equal(model, tmp_path):
    with torch.no_grad():
        model.projector[0].weight.add_(0.5)
    model.save_pretrained(tmp_path)
    loaded, report = HuiduRepForPreTraining.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert momentum_equals_trained(loaded)
    assert not any(parameter.requires_grad for parameter in loaded.momentum_backbone.parameters())
    inputs = views()
    with torch.no_grad():
        assert torch.equal(model.eval()(**inputs).embeddings, loaded(**inputs).embeddings)


def test_model_from_pretraining_and_back(model, tmp_path):
    model.save_pretrained(tmp_path / "head")
    base, report = HuiduRepModel.from_pretrained(tmp_path / "head", output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    base.save_pretrained(tmp_path / "base")
    again, report = HuiduRepForPreTraining.from_pretrained(tmp_path / "base", output_loading_info=True)
    assert all(key.startswith(("projector", "predictor", "momentum_projector")) for key in report["missing_keys"])
    assert momentum_equals_trained(again)
    waveforms = torch.randn(3, 72, 4)
    with torch.no_grad():
        torch.testing.assert_close(model.eval().huidurep(waveforms).embeddings, again(waveforms).embeddings)


def test_initialising_from_nothing_equals_building(build_tiny, tmp_path):
    """What no checkpoint holds (time encodings, the momentum branch) must come back from `from_pretrained`."""
    model = build_tiny(HuiduRepForPreTraining, encoder_type="time", num_channels=4)
    model.save_pretrained(tmp_path)
    loaded = HuiduRepForPreTraining.from_pretrained(tmp_path)
    name = "backbone.encoder.tokenizer.time_encoding"
    assert torch.equal(model.huidurep.get_buffer(name), loaded.huidurep.get_buffer(name))
    assert momentum_equals_trained(loaded)


def test_only_safetensors_are_written(model, tmp_path):
    model.save_pretrained(tmp_path)
    weights = [path.name for path in tmp_path.iterdir() if path.suffix not in (".json", ".py", ".md")]
    assert weights == ["model.safetensors"]
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "huidurep"


def test_prototypes_start_apart(build_tiny, tmp_path):
    """With weights as small as those of other layers all spikes would lie in one place, in SDs of noise."""
    model = build_tiny(HuiduRepForPreTraining, objective="prototypes")
    weights = [one.huidurep.backbone.embedding.weight for one in (model, build_tiny(HuiduRepForPreTraining))]
    assert weights[0].std().item() == pytest.approx(0.2, rel=0.2)
    assert weights[1].std().item() == pytest.approx(0.02, rel=0.2)
    model.save_pretrained(tmp_path)
    loaded = HuiduRepModel.from_pretrained(tmp_path).backbone.embedding.weight
    assert torch.equal(loaded, weights[0])


def test_prototypes_need_no_further_heads_and_follow_the_unit_ids(build_tiny, tmp_path):
    model = build_tiny(HuiduRepForPreTraining, objective="prototypes").train()
    assert {name.split(".")[0] for name, _ in model.named_parameters()} == {"huidurep"}
    assert sum(parameter.numel() for parameter in model.parameters()) == model.config.count_parameters()
    inputs = {**views(), "unit_ids": torch.tensor([5, 9, 5, 9, 2, 2, -1, -1])}
    output = model(**inputs)
    output.loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    model.update_momentum(0.9)

    # Two views of an unknown unit's spike are a unit, whatever the other unknown ones are.
    model.eval()
    with torch.no_grad():
        second = model(inputs["paired_waveforms"], inputs["paired_channel_positions"]).embeddings
        both = torch.cat([model(**inputs).embeddings, second])
        expected = prototype_loss(both, torch.tensor([5, 9, 5, 9, 2, 2, -7, -8] * 2))
        assert model(**inputs).contrastive_loss.item() == pytest.approx(expected.item(), rel=1e-5)

    model.save_pretrained(tmp_path)
    loaded, report = HuiduRepForPreTraining.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    with torch.no_grad():
        assert torch.equal(model(**inputs).loss, loaded(**inputs).loss)

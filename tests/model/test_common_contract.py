"""What transformers' own common tests ask of every model, of every configuration that ships, small.

Those tests (`ModelTesterMixin`, `ConfigTester`) are in no wheel; docs/hub.md says how to run them from a checkout.
"""

import copy
import inspect

import pytest
import torch

from huidurep_hf import HuiduRepConfig, HuiduRepForPreTraining, HuiduRepModel, checkpoint_path

SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_decoder_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "num_channels": 6,
    "projection_hidden_size": 16,
}
# Configuration that ships, class, changes, and whether two views of each spike go in.
SHIPPED = {
    "base": ("base", HuiduRepModel, {}, False),
    "paper": ("paper", HuiduRepModel, {}, False),
    "base, prototypes of pairs": ("base", HuiduRepForPreTraining, {}, True),
    "base, momentum contrast": ("base", HuiduRepForPreTraining, {"objective": "momentum_contrast"}, True),
    "paper, momentum contrast": ("paper", HuiduRepForPreTraining, {}, True),
    "paper, one view": ("paper", HuiduRepForPreTraining, {}, False),
}


@pytest.fixture(params=SHIPPED)
def shipped(request):
    name, model_class, changes, is_paired = SHIPPED[request.param]
    config = HuiduRepConfig.from_pretrained(checkpoint_path(name))
    config = HuiduRepConfig(**{**config.to_dict(), **SMALL, **changes})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = model_class(config).eval()
    generator = torch.Generator().manual_seed(1)
    inputs = {
        "waveforms": 3 * torch.randn(4, config.window_size, 6, generator=generator),
        "channel_positions": 30 * torch.randn(4, 6, 2, generator=generator),
    }
    if model_class is HuiduRepForPreTraining:
        inputs |= {"clean_waveforms": inputs["waveforms"] / 2, "unit_ids": torch.tensor([0, 1, 2, 2])}
    if is_paired:
        inputs |= {
            "paired_waveforms": inputs["waveforms"].flip(2),
            "paired_channel_positions": inputs["channel_positions"].flip(1),
        }
    return model, inputs


def run(model, inputs, **options):
    with torch.no_grad():
        return model(**inputs, **options)


def assert_same(first, second, **tolerance):
    """Compare all that two outputs hold."""
    assert first.keys() == second.keys()
    for name in first:
        torch.testing.assert_close(first[name], second[name], equal_nan=True, **tolerance)


def test_a_configuration_comes_back(shipped, tmp_path):
    config = shipped[0].config
    config.save_pretrained(tmp_path)
    for again in (
        HuiduRepConfig.from_pretrained(tmp_path),
        HuiduRepConfig.from_dict(config.to_dict()),
        HuiduRepConfig.from_json_file(tmp_path / "config.json"),
        copy.deepcopy(config),
    ):
        ours = {name: value for name, value in again.to_dict().items() if name in HuiduRepConfig.__annotations__}
        assert ours == {name: getattr(config, name) for name in ours} and len(ours) > 25
    assert HuiduRepConfig.from_pretrained(tmp_path, embedding_size=7).embedding_size == 7
    assert config.num_samples == config.window_size
    shipped[0].save_pretrained(tmp_path)
    assert HuiduRepConfig.from_pretrained(tmp_path).architectures == [type(shipped[0]).__name__]


def test_weights_come_back(shipped, tmp_path):
    model, inputs = shipped
    model.save_pretrained(tmp_path)
    loaded, report = type(model).from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert loaded.config.to_diff_dict() == {**model.config.to_diff_dict(), **_where(loaded)}
    assert_same(run(loaded, inputs), run(model, inputs))
    assert_same(run(copy.deepcopy(model), inputs), run(model, inputs))


def _where(loaded):
    """What a configuration says of its file alone."""
    return {
        name: value
        for name, value in loaded.config.to_diff_dict().items()
        if name not in HuiduRepConfig.__annotations__
    }


def test_evaluation_is_the_same_each_time_and_training_restores_it(shipped):
    model, inputs = shipped
    first = run(model, inputs)
    assert_same(run(model, inputs), first)
    model.train()
    model.eval()
    assert_same(run(model, inputs), first)


def test_a_spike_does_not_see_its_batch(shipped):
    model, inputs = shipped
    whole = run(model, inputs, **_without_loss(model))
    for row in range(2):
        alone = run(model, {name: value[row : row + 1] for name, value in inputs.items()}, **_without_loss(model))
        torch.testing.assert_close(alone.embeddings, whole.embeddings[row : row + 1], atol=1e-5, rtol=1e-4)
        waveforms = whole.denoised_waveforms[row : row + 1]
        torch.testing.assert_close(alone.denoised_waveforms, waveforms, atol=1e-5, rtol=1e-4)


def _without_loss(model):
    return {"return_loss": False} if isinstance(model, HuiduRepForPreTraining) else {}


def test_hidden_states_and_attentions_are_counted_and_the_batch_comes_first(shipped):
    model, inputs = shipped
    model.set_attn_implementation("eager")
    output = run(model, inputs, output_hidden_states=True, output_attentions=True)
    layers, heads = model.config.num_hidden_layers, model.config.num_attention_heads
    tokens = output.hidden_states[0].shape[1]
    assert [tuple(state.shape) for state in output.hidden_states] == [(4, tokens, 16)] * (layers + 1)
    assert [tuple(weights.shape) for weights in output.attentions] == [(4, heads, tokens, tokens)] * layers
    assert len(output.embeddings) == len(output.denoised_waveforms) == 4


@pytest.mark.parametrize("is_checkpointed", [False, True])
def test_every_trained_weight_gets_a_gradient(shipped, is_checkpointed):
    model, inputs = shipped
    model.train()
    if is_checkpointed:
        model.activation_checkpointing_enable({"use_reentrant": False})
    output = model(**inputs)
    loss = output.loss if "loss" in output else output.embeddings.square().sum() + output.denoised_waveforms.sum()
    loss.backward()
    # The place is learned where it is known, and these spikes do not say it.
    without = {
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and parameter.grad is None and "localizer" not in name
    }
    assert not without
    assert all(parameter.grad is None for name, parameter in model.named_parameters() if "momentum_" in name)


def test_weights_that_no_checkpoint_has_are_initialised_as_built(shipped, tmp_path):
    model, _ = shipped
    model.save_pretrained(tmp_path, state_dict={"nothing": torch.zeros(1)})
    empty, report = type(model).from_pretrained(tmp_path, output_loading_info=True)
    assert report["missing_keys"]
    for (name, given), found in zip(model.state_dict().items(), empty.state_dict().values()):
        assert torch.isfinite(found).all(), name
        if given.is_floating_point() and given.numel() > 100:
            assert float(found.std()) == pytest.approx(float(given.std()), rel=0.5, abs=1e-6), name


def test_the_first_map_may_be_replaced_and_no_weights_are_tied(shipped):
    model, inputs = shipped
    first = model.get_input_embeddings()
    assert isinstance(first, torch.nn.Module)
    replaced = copy.deepcopy(first)
    with torch.no_grad():
        for parameter in replaced.parameters():
            parameter.mul_(2)
    before = run(model, inputs).embeddings
    model.set_input_embeddings(replaced)
    assert model.get_input_embeddings() is replaced
    assert not torch.allclose(run(model, inputs).embeddings, before)
    pointers = [parameter.data_ptr() for parameter in model.parameters()]
    assert len(set(pointers)) == len(pointers)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_precision(shipped, dtype):
    model, inputs = shipped
    full = run(model, inputs).embeddings
    other = run(model.to(dtype), inputs)
    assert other.embeddings.dtype == dtype
    assert (other.embeddings.float() - full).abs().max() < 0.1 * full.abs().max()
    if "loss" in other:
        assert torch.isfinite(other.loss)


def test_the_first_argument_is_the_main_input_and_unknown_ones_are_refused(shipped):
    model, inputs = shipped
    assert list(inspect.signature(model.forward).parameters)[0] == model.main_input_name
    with pytest.raises(TypeError, match="unknown argument"):
        model(**inputs, positions=inputs["channel_positions"])


def test_without_the_denoised_waveforms_all_else_is_the_same(shipped):
    model, inputs = shipped
    whole = run(model, inputs, output_hidden_states=True)
    if "loss" in whole:
        pytest.skip("pretraining denoises")
    part = run(model, inputs, output_hidden_states=True, denoise=False)
    assert (part.denoised_waveforms is None) != model.config.fuse_denoised
    for name in whole.keys() - {"denoised_waveforms"}:
        torch.testing.assert_close(part[name], whole[name], atol=0, rtol=0, equal_nan=True)


def test_a_tuple_equals_the_dictionary(shipped):
    model, inputs = shipped
    named = run(model, inputs, output_hidden_states=True).to_tuple()
    unnamed = run(model, inputs, output_hidden_states=True, return_dict=False)
    assert len(named) == len(unnamed)
    torch.testing.assert_close(unnamed, named, equal_nan=True)

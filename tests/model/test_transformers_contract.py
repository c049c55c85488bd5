"""What a user of transformers expects of any model, on both encoders and both classes."""

import copy
import json

import pytest
import torch
from huggingface_hub import ModelCard
from transformers import AutoConfig, AutoModel, AutoModelForPreTraining

from huidurep_hf import HuiduRepConfig, HuiduRepForPreTraining, HuiduRepModel, checkpoint_path

CLASSES = [HuiduRepModel, HuiduRepForPreTraining]
ENCODERS = {"channel": {}, "time": {"encoder_type": "time", "num_channels": 6, "norm_first": False}}


@pytest.fixture(params=CLASSES)
def model_class(request):
    return request.param


@pytest.fixture(params=ENCODERS)
def model(request, model_class, build_tiny):
    return build_tiny(model_class, **ENCODERS[request.param])


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(0)
    return {
        "waveforms": torch.randn(4, 72, 6, generator=generator),
        "channel_positions": 30 * torch.randn(4, 6, 2, generator=generator),
    }


def test_save_and_load_gives_the_same(model, inputs, tmp_path):
    model.save_pretrained(tmp_path)
    loaded = type(model).from_pretrained(tmp_path)
    assert not loaded.training
    with torch.no_grad():
        assert torch.equal(model(**inputs).embeddings, loaded(**inputs).embeddings)
        assert torch.equal(model(**inputs).denoised_waveforms, loaded(**inputs).denoised_waveforms)


def test_auto_classes_build_and_load(model, inputs, tmp_path):
    auto = AutoModel if isinstance(model, HuiduRepModel) else AutoModelForPreTraining
    model.save_pretrained(tmp_path)
    assert type(auto.from_pretrained(tmp_path)) is type(model)
    config = AutoConfig.from_pretrained(tmp_path)
    assert type(auto.from_config(config)) is type(model)
    assert type(AutoConfig.for_model("huidurep", hidden_size=32)) is HuiduRepConfig


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_dtype_is_honoured_and_comes_out(model, inputs, tmp_path, dtype):
    model.save_pretrained(tmp_path)
    loaded = type(model).from_pretrained(tmp_path, dtype=dtype)
    assert {p.dtype for p in loaded.parameters()} == {dtype}
    with torch.no_grad():
        output, full = loaded(**inputs), model(**inputs)
    assert output.embeddings.dtype == output.denoised_waveforms.dtype == dtype
    assert (output.embeddings.float() - full.embeddings).abs().max() < 0.1 * full.embeddings.abs().max()
    loaded.save_pretrained(tmp_path / "again")
    assert type(model).from_pretrained(tmp_path / "again", dtype="auto").dtype == dtype


def test_device_map_auto(model, inputs, tmp_path):
    pytest.importorskip("accelerate")
    model.save_pretrained(tmp_path)
    placed = type(model).from_pretrained(tmp_path, device_map="auto")
    given = {name: value.to(placed.device) for name, value in inputs.items()}
    with torch.no_grad():
        torch.testing.assert_close(placed(**given).embeddings.cpu(), model(**inputs).embeddings, atol=1e-4, rtol=1e-4)


def test_device_map_auto_where_memory_is_short(build_tiny, inputs, tmp_path):
    pytest.importorskip("accelerate")
    model = build_tiny(HuiduRepForPreTraining)
    model.save_pretrained(tmp_path)
    where = {"device_map": "auto", "max_memory": {"cpu": "20KB"}, "offload_folder": tmp_path / "offload"}
    placed = HuiduRepModel.from_pretrained(tmp_path, **where)
    assert "disk" in placed.hf_device_map.values()
    with torch.no_grad():
        torch.testing.assert_close(placed(**inputs).embeddings, model(**inputs).embeddings, atol=1e-5, rtol=1e-4)
    with pytest.raises(ValueError, match="HuiduRepModel can"):
        HuiduRepForPreTraining.from_pretrained(tmp_path, **where)


def test_attention_is_chosen_at_loading(model, inputs, tmp_path):
    model.save_pretrained(tmp_path)
    found = {}
    for name in ("eager", "sdpa"):
        loaded = type(model).from_pretrained(tmp_path, attn_implementation=name)
        assert loaded.config._attn_implementation == name
        with torch.no_grad():
            found[name] = loaded(**inputs).embeddings
    torch.testing.assert_close(found["eager"], found["sdpa"], atol=1e-5, rtol=1e-4)
    with pytest.raises(ValueError, match="does not support attn_implementation='flash_attention_2'.*Give 'sdpa'"):
        type(model).from_pretrained(tmp_path, attn_implementation="flash_attention_2")
    with pytest.raises(ValueError, match="does not support attn_implementation='flash_attention_3'"):
        model.set_attn_implementation("flash_attention_3")


@pytest.mark.parametrize("fuse_denoised", [False, True])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_flex_attention_equals_sdpa(build_tiny, inputs, encoder, fuse_denoised):
    model = build_tiny(HuiduRepModel, fuse_denoised=fuse_denoised, hidden_size=32, **ENCODERS[encoder])
    mask = torch.ones(4, 6)
    mask[0, 5] = 0
    with torch.no_grad():
        expected = model(**inputs, channel_mask=mask).embeddings
        model.set_attn_implementation("flex_attention")
        # The kernel is compiled for minutes on a CPU; this is the same sum, uncompiled.
        with torch.compiler.set_stance("force_eager"):
            torch.testing.assert_close(model(**inputs, channel_mask=mask).embeddings, expected, atol=1e-5, rtol=1e-4)


def test_tokens_and_attentions_on_request_and_by_configuration(model, inputs):
    model.set_attn_implementation("eager")
    layers = model.config.num_hidden_layers
    with torch.no_grad():
        plain, asked = model(**inputs), model(**inputs, output_hidden_states=True, output_attentions=True)
        model.config.output_hidden_states = True
        configured = model(**inputs)
    assert plain.hidden_states is None and plain.attentions is None
    assert len(asked.hidden_states) == layers + 1 and len(asked.attentions) == layers
    tokens = asked.hidden_states[0].shape[1]
    assert asked.hidden_states[0].shape == (4, tokens, model.config.hidden_size)
    assert asked.attentions[0].shape == (4, model.config.num_attention_heads, tokens, tokens)
    assert len(configured.hidden_states) == layers + 1


def test_an_unknown_argument_is_refused(model, inputs):
    """A misspelt one would change the embeddings in silence."""
    positions = inputs.pop("channel_positions")
    with pytest.raises(TypeError, match="'channel_position'; did you mean 'channel_positions'"):
        model(**inputs, channel_position=positions)
    with pytest.raises(TypeError, match="unknown argument 'zzz'; there are waveforms, channel_positions"):
        model(**inputs, zzz=positions)
    # Wrappers such as peft's pass what they have, mostly nothing.
    model(**inputs, input_ids=None, attention_mask=None, inputs_embeds=None, use_cache=False, num_items_in_batch=4)


def test_an_attention_mask_is_a_channel_mask(model, inputs):
    mask = torch.ones(4, 6)
    mask[:, 4:] = 0
    with torch.no_grad():
        everywhere, plain = model(**inputs, attention_mask=torch.ones(4, 6)), model(**inputs)
        given, expected = model(**inputs, attention_mask=mask), model(**inputs, channel_mask=mask)
    assert torch.equal(everywhere.embeddings, plain.embeddings)
    assert torch.equal(given.embeddings, expected.embeddings) and not torch.equal(given.embeddings, plain.embeddings)
    with pytest.raises(ValueError, match="give channel_mask alone"):
        model(**inputs, attention_mask=mask, channel_mask=mask)


def test_adapters_of_peft(build_tiny, inputs, tmp_path):
    """They are trained, saved, and loaded onto the same model."""
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(task_type="FEATURE_EXTRACTION", r=2, target_modules=["q_proj", "v_proj"])
    adapted = peft.get_peft_model(build_tiny(HuiduRepModel), config).train()
    optimizer = torch.optim.SGD([p for p in adapted.parameters() if p.requires_grad], lr=1.0)
    for _ in range(2):
        optimizer.zero_grad()
        adapted(**inputs).embeddings.square().sum().backward()
        optimizer.step()
    adapted.save_pretrained(tmp_path)
    plain = build_tiny(HuiduRepModel)
    with torch.no_grad():
        before, trained = plain(**inputs).embeddings, adapted.eval()(**inputs).embeddings
        again = peft.PeftModel.from_pretrained(plain, tmp_path).eval()(**inputs).embeddings
    assert (trained - before).abs().max() > 1e-4
    torch.testing.assert_close(again, trained)


def test_an_adapter_names_its_base_model_as_the_hub_does(tmp_path):
    """The folder on this machine is nobody else's business; results still find the files there."""
    peft = pytest.importorskip("peft")
    base = HuiduRepModel.from_pretrained("huidurep/base")
    config = peft.LoraConfig(task_type="FEATURE_EXTRACTION", r=2, target_modules=["q_proj", "v_proj"])
    peft.get_peft_model(base, config).save_pretrained(tmp_path / "adapter")
    saved = json.loads((tmp_path / "adapter/adapter_config.json").read_text())
    assert saved["base_model_name_or_path"] == "huidurep/base"
    card = ModelCard.load(tmp_path / "adapter/README.md")
    assert card.data.base_model == "huidurep/base" and "base_model:adapter:huidurep/base" in card.data.tags
    assert "site-packages" not in card.content and str(checkpoint_path("base")) not in card.content
    assert base.config.name_or_path == str(checkpoint_path("base"))
    base.save_pretrained(tmp_path / "saved")
    assert "hub_name" not in (tmp_path / "saved/config.json").read_text()


def test_a_tuple_equals_the_dictionary(model, inputs):
    with torch.no_grad():
        as_tuple, as_dict = model(**inputs, return_dict=False), model(**inputs)
    assert isinstance(as_tuple, tuple)
    for given, expected in zip(as_tuple, as_dict.to_tuple(), strict=True):
        torch.testing.assert_close(given, expected, equal_nan=True)


def test_tokens_and_attentions_keep_gradients(model, inputs):
    model.set_attn_implementation("eager")
    output = model(**inputs, output_hidden_states=True, output_attentions=True)
    output.hidden_states[0].retain_grad()
    output.attentions[0].retain_grad()
    output.embeddings[0, 0].backward()
    assert output.hidden_states[0].grad.abs().sum() > 0
    assert output.attentions[0].grad is not None


def test_building_without_memory_and_filling_equals_building(model):
    with torch.device("meta"):
        empty = type(model)(copy.deepcopy(model.config))
    assert all(parameter.is_meta for parameter in empty.parameters())
    assert sum(p.numel() for p in empty.parameters()) == sum(p.numel() for p in model.parameters())


def test_initial_weights_follow_the_configuration(model_class, build_tiny):
    model = build_tiny(model_class, initializer_range=1e-10)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and parameter.ndim > 1:
            assert parameter.abs().max() < 1e-8, name


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_gradient_checkpointing_in_training(build_tiny, inputs, use_reentrant):
    model = build_tiny(HuiduRepForPreTraining).train()
    gradients = []
    for checkpointing in (False, True):
        if checkpointing:
            model.activation_checkpointing_enable({"use_reentrant": use_reentrant})
            model.enable_input_require_grads()
            assert model.is_activation_checkpointing
        model.zero_grad()
        model(**inputs).loss.backward()
        gradients.append({n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name in gradients[0]:
        torch.testing.assert_close(gradients[0][name], gradients[1][name], atol=1e-4, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("fuse_denoised", [False, True])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_compiled_equals_plain(build_tiny, inputs, encoder, fuse_denoised):
    model = build_tiny(HuiduRepModel, num_hidden_layers=1, fuse_denoised=fuse_denoised, **ENCODERS[encoder])
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    with torch.no_grad():
        plain = model(**inputs, output_hidden_states=True)
        torch.testing.assert_close(compiled(**inputs).embeddings, plain.embeddings, atol=1e-5, rtol=1e-4)


def test_what_a_checkpoint_lacks_is_initialised_and_reported(build_tiny, tmp_path):
    model = build_tiny(HuiduRepModel)
    weights = {name: value for name, value in model.state_dict().items() if "localizer" not in name}
    model.save_pretrained(tmp_path, state_dict=weights)
    loaded, report = HuiduRepModel.from_pretrained(tmp_path, output_loading_info=True)
    assert report["missing_keys"] == {"backbone.localizer.weight", "backbone.localizer.bias"}
    assert torch.isfinite(loaded.backbone.localizer.weight).all()
    assert loaded.backbone.localizer.weight.abs().max() < 0.2

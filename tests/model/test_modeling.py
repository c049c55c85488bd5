import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from huidurep_hf import HuiduRepConfig, HuiduRepFeatureExtractor, HuiduRepModel
from huidurep_hf.model.modeling_huidurep import center_of_mass

KINDS = {
    "channel": {},
    "channel_fused": {"fuse_denoised": True},
    "channel_attention": {"pooling": "attention"},
    "channel_from_center": {"origin": "center_of_mass"},
    "time": {"encoder_type": "time", "num_channels": 6, "norm_first": False, "hidden_act": "relu"},
    "time_fused": {"encoder_type": "time", "num_channels": 6, "norm_first": False, "fuse_denoised": True},
}


def spikes(num_spikes=5, num_samples=72, num_channels=6):
    generator = torch.Generator().manual_seed(1)
    waveforms = torch.randn(num_spikes, num_samples, num_channels, generator=generator)
    positions = 30 * torch.randn(num_spikes, num_channels, 2, generator=generator)
    return waveforms, positions


@pytest.fixture(params=KINDS)
def model(request, build_tiny):
    return build_tiny(HuiduRepModel, **KINDS[request.param])


def test_published_encoder_has_the_published_size():
    model = HuiduRepModel(HuiduRepConfig.paper())
    in_one_pass = [parameter for name, parameter in model.named_parameters() if ".decoder." not in name]
    assert sum(parameter.numel() for parameter in in_one_pass) == 553_568


def test_operations_that_the_cards_state():
    """Of one spike on 11 channels: the published encoder with and without the denoised spike beside it, ours by default
    and as `huidurep/base`."""
    operations = []
    base = HuiduRepConfig.from_pretrained("huidurep/base")
    for config in (HuiduRepConfig.paper(), HuiduRepConfig.paper(fuse_denoised=False), HuiduRepConfig(), base):
        model = HuiduRepModel(config).eval()
        model.set_attn_implementation("eager")  # the counter sees the products of eager attention
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(torch.randn(1, config.window_size, 11))
        operations.append(counter.get_total_flops() / 1e9)
    assert operations == pytest.approx([0.700, 0.203, 0.0164, 0.0300], rel=0.01)


def test_shapes(model):
    waveforms, positions = spikes()
    output = model(waveforms, positions, output_hidden_states=True)
    assert output.embeddings.shape == (5, 32)
    assert output.denoised_waveforms.shape == waveforms.shape
    if model.config.encoder_type == "channel":
        assert output.locations.shape == (5, 2)
    else:
        assert output.locations is None
    assert len(output.hidden_states) == 1 + model.config.num_hidden_layers
    assert {tokens.shape for tokens in output.hidden_states} == {output.last_hidden_state.shape}
    model.set_attn_implementation("eager")
    attentions = model(waveforms, positions, output_attentions=True).attentions
    tokens = output.last_hidden_state.shape[1]
    assert [a.shape for a in attentions] == [(5, 2, tokens, tokens)] * model.config.num_hidden_layers
    (last,) = [h for h in model(waveforms, positions, output_hidden_states=[-1]).hidden_states if h is not None]
    torch.testing.assert_close(last, output.hidden_states[-1])


def test_pinned_numbers():
    """The same weights and spikes give the same numbers on every machine and version, to rounding."""
    model = HuiduRepModel(HuiduRepConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, embedding_size=3))
    with torch.no_grad():
        for index, parameter in enumerate(model.parameters()):
            ramp = torch.arange(parameter.numel(), dtype=torch.float32)
            parameter.copy_((0.3 * torch.sin(0.7 * ramp + index)).reshape(parameter.shape))
        time = torch.arange(72, dtype=torch.float32)[None, :, None]
        channel = torch.arange(4, dtype=torch.float32)[None, None, :]
        waveforms = -(10 - 2 * channel) * torch.exp(-(((time - 24) / 6) ** 2))
        positions = torch.tensor([[[0.0, 0.0], [25.0, 0.0], [0.0, 25.0], [25.0, 25.0]]])
        output = model.eval()(waveforms, positions)
    torch.testing.assert_close(output.embeddings[0], torch.tensor(PINNED_EMBEDDING), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(
        output.denoised_waveforms[0, 22:25, 0], torch.tensor(PINNED_WAVEFORM), atol=1e-3, rtol=1e-3
    )


PINNED_EMBEDDING = [0.669315, 0.644978, 0.324766]
PINNED_WAVEFORM = [25.052763, 25.229932, 14.046407]


def test_a_spike_does_not_see_its_batch(model):
    waveforms, positions = spikes()
    with torch.no_grad():
        alone = model(waveforms[:1], positions[:1])
        together = model(waveforms, positions)
    torch.testing.assert_close(alone.embeddings, together.embeddings[:1], atol=1e-5, rtol=1e-4)


def test_evaluation_is_deterministic(model):
    waveforms, positions = spikes()
    with torch.no_grad():
        assert torch.equal(model(waveforms, positions).embeddings, model(waveforms, positions).embeddings)


@pytest.mark.parametrize(
    "changes", [{}, {"fuse_denoised": True}, {"pooling": "attention"}, {"origin": "center_of_mass"}]
)
def test_masked_channels_are_as_if_absent(build_tiny, changes):
    model = build_tiny(HuiduRepModel, **changes)
    waveforms, positions = spikes()
    mask = torch.ones(5, 6)
    mask[:, 4:] = 0
    with torch.no_grad():
        masked = model(waveforms, positions, mask)
        absent = model(waveforms[:, :, :4], positions[:, :4])
    torch.testing.assert_close(masked.embeddings, absent.embeddings, atol=1e-5, rtol=1e-4)
    assert masked.denoised_waveforms[:, :, 4:].abs().max() == 0


def test_channels_have_no_order(tiny_model):
    waveforms, positions = spikes()
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    with torch.no_grad():
        given = tiny_model(waveforms, positions)
        shuffled = tiny_model(waveforms[:, :, order], positions[:, order])
    torch.testing.assert_close(given.embeddings, shuffled.embeddings, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(given.denoised_waveforms[:, :, order], shuffled.denoised_waveforms, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(given.locations, shuffled.locations, atol=1e-4, rtol=1e-4)


def test_seen_from_its_center_of_mass_a_spike_is_the_same_from_any_peak_channel(build_tiny):
    waveforms, positions = spikes()
    moved = positions - positions[:, 2:3]
    for origin, is_same in (("center_of_mass", True), ("peak", False)):
        model = build_tiny(HuiduRepModel, origin=origin)
        with torch.no_grad():
            first, second = model(waveforms, positions), model(waveforms, moved)
        assert torch.allclose(first.embeddings, second.embeddings, atol=1e-4) == is_same
        if is_same:
            # In the coordinates given, whichever these are.
            torch.testing.assert_close(first.locations - positions[:, 2], second.locations, atol=1e-2, rtol=0)


def test_center_of_mass_is_the_mean_position_by_energy():
    waveforms = torch.zeros(1, 72, 3)
    waveforms[0, 5, 0], waveforms[0, 9, 1], waveforms[0, 20, 1] = 3.0, -2.0, 1.0
    positions = torch.tensor([[[0.0, 0.0], [14.0, 28.0], [500.0, 500.0]]])
    # Energies of 9, 5 and 0.
    assert center_of_mass(waveforms, positions).flatten().tolist() == pytest.approx([5.0, 10.0])
    assert center_of_mass(0 * waveforms, positions).flatten().tolist() == [0.0, 0.0]


def test_positions_matter(tiny_model):
    waveforms, positions = spikes()
    with torch.no_grad():
        near, far = tiny_model(waveforms, positions), tiny_model(waveforms, 3 * positions)
    assert (near.embeddings - far.embeddings).abs().max() > 1e-4


@pytest.mark.parametrize("num_channels", [1, 4, 40])
def test_any_number_of_channels(tiny_model, num_channels):
    waveforms, positions = spikes(num_channels=num_channels)
    assert tiny_model(waveforms, positions).embeddings.shape == (5, 32)


def test_a_silent_spike_is_finite(model):
    output = model(torch.zeros(2, 72, 6), torch.zeros(2, 6, 2))
    assert torch.isfinite(output.embeddings).all()
    assert torch.isfinite(output.denoised_waveforms).all()


def test_eager_attention_equals_sdpa_and_gives_weights(model):
    waveforms, positions = spikes()
    mask = torch.ones(5, 6)
    mask[0, 5] = 0
    with torch.no_grad():
        sdpa = model(waveforms, positions, mask)
        model.set_attn_implementation("eager")
        eager = model(waveforms, positions, mask, output_attentions=True)
    torch.testing.assert_close(sdpa.embeddings, eager.embeddings, atol=1e-5, rtol=1e-4)
    assert eager.attentions[0].shape[1] == model.config.num_attention_heads
    torch.testing.assert_close(eager.attentions[0].sum(-1), torch.ones_like(eager.attentions[0].sum(-1)))


def test_a_tuple_on_request(model):
    output = model(*spikes(), return_dict=False)
    assert isinstance(output, tuple)
    assert output[1].shape == (5, 32)


def test_gradient_checkpointing_keeps_gradients(model):
    waveforms, positions = spikes()
    gradients = []
    for checkpointing in (False, True):
        if checkpointing:
            model.activation_checkpointing_enable()
        model.train()
        model.zero_grad()
        output = model(waveforms, positions)
        loss = output.embeddings.sum() + output.denoised_waveforms.square().mean()
        (loss if output.locations is None else loss + output.locations.sum()).backward()
        gradients.append([parameter.grad.clone() for parameter in model.parameters()])
    for plain, checkpointed in zip(*gradients):
        torch.testing.assert_close(plain, checkpointed, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["huidurep/base", "huidurep/paper"])
def test_float16_holds_loud_spikes_on_long_probes(name):
    model = HuiduRepModel.from_pretrained(name)
    random = np.random.default_rng(0)
    positions = np.stack([np.zeros(11), 25.0 * np.arange(11) - 125.0], axis=1)
    depth = 60 * np.exp(-((positions[:, 1] / 40) ** 2))
    shape = -np.exp(-(((np.arange(100) - 30) / 5.0) ** 2))
    given = random.normal(size=(5, 100, 11)) + shape[:, None] * depth
    extractor = HuiduRepFeatureExtractor.from_pretrained(name)
    features = extractor(given, sampling_rate=30000, channel_positions=positions, peak_sample=30)
    with torch.no_grad():
        full = model(**features).embeddings
        half = model.to(torch.float16)(**{name: value.half() for name, value in features.items()}).embeddings
    assert (full - half.float()).abs().max() < 0.02 * full.abs().max()


@pytest.mark.parametrize("name", ["huidurep/base", "huidurep/paper"])
def test_no_spikes_give_no_embeddings(name):
    model, extractor = HuiduRepModel.from_pretrained(name), HuiduRepFeatureExtractor.from_pretrained(name)
    with torch.no_grad():
        output = model(**extractor(np.zeros((0, 72, 4)), sampling_rate=30000))
    assert output.embeddings.shape == (0, model.config.embedding_size)
    assert len(output.denoised_waveforms) == 0


def test_bfloat16_stays_near(tiny_model):
    waveforms, positions = spikes()
    with torch.no_grad():
        full = tiny_model(waveforms, positions).embeddings
        half = tiny_model.to(torch.bfloat16)(waveforms, positions).embeddings
    assert half.dtype == torch.bfloat16
    assert (full - half.float()).abs().max() < 0.1 * full.abs().max()


@pytest.mark.parametrize(
    ("shape", "positions", "mask", "message"),
    [
        ((5, 121, 6), None, None, "expected \\(num_spikes, 72, num_channels\\)"),
        ((72, 6), None, None, "HuiduRepFeatureExtractor brings"),
        ((5, 72, 6), (6, 2), None, "channel_positions of shape \\(6, 2\\)"),
        ((5, 72, 6), (5, 6, 2), (6,), "channel_mask of shape \\(6,\\)"),
    ],
)
def test_wrong_shapes_are_named(tiny_model, shape, positions, mask, message):
    positions = None if positions is None else torch.zeros(positions)
    mask = None if mask is None else torch.ones(mask)
    with pytest.raises(ValueError, match=message):
        tiny_model(torch.zeros(shape), positions, mask)


def test_time_encoder_needs_its_number_of_channels(build_tiny):
    model = build_tiny(HuiduRepModel, encoder_type="time")
    with pytest.raises(ValueError, match="exactly 11"):
        model(torch.zeros(2, 72, 4))


@pytest.mark.parametrize("what", ["mask", "waveforms", "positions"])
def test_a_spike_of_which_nothing_is_known_has_no_embedding(build_tiny, what):
    """Not one finite embedding that all such spikes share."""
    for kind in ("channel", "channel_fused", "channel_attention", "channel_from_center", "time"):
        model = build_tiny(HuiduRepModel, **KINDS[kind])
        if what == "positions" and kind == "time":
            continue
        waveforms, positions = spikes()
        with torch.no_grad():
            whole = model(waveforms, positions)
            mask = torch.ones(5, 6)
            if what == "mask":
                mask[1] = 0
            elif what == "waveforms":
                waveforms[1] = torch.nan
            else:
                positions[1] = torch.nan
            output = model(waveforms, positions, mask)
        assert output.embeddings[1].isnan().all(), kind
        others = [0, 2, 3, 4]
        torch.testing.assert_close(output.embeddings[others], whole.embeddings[others])


def test_the_extractor_leaves_nothing_of_such_a_spike():
    extractor = HuiduRepFeatureExtractor()
    tetrode = np.array([[0, 0], [25, 0], [0, 25], [25, 25]], dtype="float32")
    waveforms = np.ones((3, 72, 4), dtype="float32")
    waveforms[1] = np.nan
    features = extractor(waveforms, sampling_rate=30000, channel_positions=tetrode, peak_sample=24)
    assert features["channel_mask"].sum(dim=1).tolist() == [4, 0, 4]
    given = {"sampling_rate": 30000, "peak_sample": 24}
    features = extractor(np.ones((3, 72, 4)), channel_positions=np.full((4, 2), np.nan), **given)
    assert features["channel_mask"].sum() == 0
    model = HuiduRepModel(HuiduRepConfig(num_hidden_layers=1)).eval()
    assert model(**features).embeddings.isnan().all()

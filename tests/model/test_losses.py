import math

import pytest
import torch

from huidurep_hf.model.losses_huidurep import (
    HuiduRepBatchNorm,
    contrastive_loss,
    denoising_loss,
    location_loss,
    name_unknown_units,
    prototype_loss,
)


def slow_contrastive_loss(queries, keys, temperature, query_units, key_units, offset):
    """The definition, one query and one key at a time."""
    total = 0.0
    for i, query in enumerate(queries.tolist()):
        similarities = {}
        for j, key in enumerate(keys.tolist()):
            if j != offset + i and query_units[i] >= 0 and query_units[i] == key_units[j]:
                continue
            dot = sum(a * b for a, b in zip(query, key))
            similarities[j] = dot / math.hypot(*query) / math.hypot(*key) / temperature
        total += math.log(sum(math.exp(value) for value in similarities.values())) - similarities[offset + i]
    return 2 * temperature * total / len(queries)


@pytest.mark.parametrize("temperature", [0.1, 0.2, 1.0])
@pytest.mark.parametrize(("num_queries", "num_keys", "offset"), [(6, 6, 0), (4, 8, 4), (1, 1, 0)])
def test_contrastive_loss_against_its_definition(temperature, num_queries, num_keys, offset):
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(num_queries, 5, generator=generator, dtype=torch.float64)
    keys = torch.randn(num_keys, 5, generator=generator, dtype=torch.float64)
    key_units = torch.randint(-1, 3, (num_keys,), generator=generator)
    query_units = key_units[offset : offset + num_queries]
    fast = contrastive_loss(queries, keys, temperature, query_units, key_units, offset)
    slow = slow_contrastive_loss(queries, keys, temperature, query_units.tolist(), key_units.tolist(), offset)
    assert fast.item() == pytest.approx(slow, rel=1e-5)


def test_unknown_units_are_all_negatives():
    queries, keys = torch.randn(4, 3), torch.randn(4, 3)
    unknown = torch.full((4,), -1)
    assert contrastive_loss(queries, keys, 0.2, unknown, unknown) == contrastive_loss(queries, keys, 0.2)


def test_agreeing_views_cost_less():
    queries = torch.eye(4)
    assert contrastive_loss(queries, queries, 0.2) < contrastive_loss(queries, queries.roll(1, 0), 0.2)


def slow_prototype_loss(embeddings, unit_ids):
    """The definition, one spike and one unit at a time."""
    total = 0.0
    for i, (spike, own) in enumerate(zip(embeddings, unit_ids)):
        logits = {}
        for unit in set(unit_ids):
            members = [e for j, (e, u) in enumerate(zip(embeddings, unit_ids)) if u == unit and j != i]
            if members:
                mean = [sum(values) / len(members) for values in zip(*members)]
                logits[unit] = -0.5 * sum((a - b) ** 2 for a, b in zip(spike, mean))
        if own in logits:
            total += math.log(sum(math.exp(value) for value in logits.values())) - logits[own]
    return total / len(embeddings)


@pytest.mark.parametrize("unit_ids", [[3, 1, 3, 1, -5, -5, 3], [0, 0, 1, 1, 2, 2, 3], [4] * 7])
def test_prototype_loss_against_its_definition(unit_ids):
    embeddings = torch.randn(7, 4, generator=torch.Generator().manual_seed(0))
    fast = prototype_loss(embeddings, torch.tensor(unit_ids))
    assert fast.item() == pytest.approx(slow_prototype_loss(embeddings.tolist(), unit_ids), rel=1e-5, abs=1e-7)


def test_prototype_loss_has_the_gradient_of_its_values():
    unit_ids = torch.tensor([0, 1, 2, 0, 1, 2, 2])
    embeddings = torch.randn(7, 3, generator=torch.Generator().manual_seed(1), requires_grad=True)
    step = 1e-2 * torch.randn(7, 3, generator=torch.Generator().manual_seed(2))
    prototype_loss(embeddings, unit_ids).backward()
    with torch.no_grad():
        rise = prototype_loss(embeddings + step, unit_ids) - prototype_loss(embeddings - step, unit_ids)
    assert (embeddings.grad * 2 * step).sum().item() == pytest.approx(rise.item(), rel=1e-3)


def test_prototypes_that_coincide_with_their_spikes_have_a_gradient():
    embeddings = torch.ones(4, 3, requires_grad=True)
    prototype_loss(embeddings, torch.tensor([0, 0, 1, 1])).backward()
    assert embeddings.grad.isfinite().all()


def test_each_spike_of_an_unknown_unit_is_its_own():
    assert name_unknown_units(torch.tensor([-1, 7, -1, 7])).tolist() == [-1, 7, -3, 7]


def test_denoising_loss_against_its_definition():
    denoised, clean = torch.randn(3, 7, 4), torch.randn(3, 7, 4)
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]])
    expected = 0.0
    for spike in range(3):
        there = [channel for channel in range(4) if mask[spike, channel]]
        errors = [(denoised[spike, t, c] - clean[spike, t, c]).item() ** 2 for t in range(7) for c in there]
        expected += sum(errors) / len(errors) / 3
    assert denoising_loss(denoised, clean, mask).item() == pytest.approx(expected, rel=1e-5)


def test_a_spike_whose_clean_waveform_is_unknown_counts_nothing():
    denoised, clean, mask = torch.randn(2, 7, 4, requires_grad=True), torch.randn(2, 7, 4), torch.ones(2, 4)
    unknown = clean.clone()
    unknown[1] = float("nan")
    loss = denoising_loss(denoised, unknown, mask)
    assert loss.item() == pytest.approx(denoising_loss(denoised[:1], clean[:1], mask[:1]).item() / 2, rel=1e-5)
    loss.backward()
    assert denoised.grad[1].abs().max() == 0
    assert denoised.grad.isfinite().all()


def test_location_loss_against_its_definition():
    found = torch.tensor([[0.0, 10.0], [100.0, 0.0], [7.0, 7.0]], requires_grad=True)
    true = torch.tensor([[0.0, 0.0], [0.0, 0.0], [float("nan"), 0.0]])
    loss = location_loss(found, true, scale_um=50.0)
    # 0.2 scales off is squared, 2 scales off is linear, the unknown one counts nothing.
    assert loss.item() == pytest.approx((0.5 * 0.2**2 + (2 - 0.5) + 0.0) / 3)
    loss.backward()
    assert found.grad[2].tolist() == [0.0, 0.0]
    assert found.grad.isfinite().all()


def test_batch_norm_alone_is_that_of_torch():
    features = torch.randn(8, 5)
    ours, theirs = HuiduRepBatchNorm(5), torch.nn.BatchNorm1d(5)
    torch.testing.assert_close(ours(features), theirs(features))
    torch.testing.assert_close(ours.running_var, theirs.running_var)


@pytest.mark.filterwarnings("error::FutureWarning")
def test_batch_norm_across_processes_takes_half_precision(tmp_path):
    """Under autocast the features are bfloat16 and the running figures are not."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'meet'}", rank=0, world_size=1)
    try:
        features = torch.randn(64, 5, generator=torch.Generator().manual_seed(0)) * 3 + 10
        norm = HuiduRepBatchNorm(5)
        half = norm(features.to(torch.bfloat16))
        assert half.dtype == torch.bfloat16
        expected = torch.nn.BatchNorm1d(5)(features)
        assert (half.float() - expected).abs().max() < 0.1
        assert norm.running_mean.dtype == torch.float32
    finally:
        torch.distributed.destroy_process_group()

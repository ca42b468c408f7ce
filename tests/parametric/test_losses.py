"""The losses are torch's own, weighed."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason='needs pip install "persona-memory[parametric]"')

import torch
from torch.nn import functional

from persona_memory.parametric.losses import kl_to_base, kl_to_teacher, preference, token_losses, unlearnt, weighted

RANDOM = torch.Generator().manual_seed(0)
LOGITS = torch.randn(12, 30, generator=RANDOM) * 3
OTHER = torch.randn(12, 30, generator=RANDOM) * 3
TARGETS = torch.randint(30, (12,), generator=RANDOM)
ALONE = torch.zeros(12, dtype=torch.long)


def test_equal_weights_give_torchs_cross_entropy() -> None:
    """With its gradient."""
    ours, theirs = LOGITS.clone().requires_grad_(), LOGITS.clone().requires_grad_()
    (loss,) = weighted(token_losses(ours, TARGETS), torch.full((12,), 10.0), ALONE, 1)
    expected = functional.cross_entropy(theirs, TARGETS)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    loss.backward()
    expected.backward()  # type: ignore[no-untyped-call]
    assert ours.grad is not None
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-7)  # type: ignore[arg-type]


def test_weights_by_token_are_torchs_weights_by_class() -> None:
    """Where every target of one class has the weight of its class."""
    by_class = torch.rand(30, generator=RANDOM) * 10
    (loss,) = weighted(token_losses(LOGITS, TARGETS), by_class[TARGETS], ALONE, 1)
    assert loss.item() == pytest.approx(functional.cross_entropy(LOGITS, TARGETS, weight=by_class).item(), rel=1e-6)


def test_each_persons_loss_is_of_their_own_tokens() -> None:
    """Nobody's loss depends on how many tokens another has; who has none has the loss 0."""
    owners = torch.tensor([1] * 3 + [3] * 9)
    weights = torch.rand(12, generator=RANDOM)
    losses = token_losses(LOGITS, TARGETS)
    found = weighted(losses, weights, owners, 4)
    for slot, mine in ((1, slice(0, 3)), (3, slice(3, 12))):
        alone = weighted(losses[mine], weights[mine], torch.zeros_like(owners[mine]), 1)
        assert found[slot].item() == pytest.approx(alone.item(), rel=1e-6)
    assert found[0] == found[2] == 0


def test_what_is_known_already_is_not_trained() -> None:
    """MemFT: the weight stays where p < τ, and all of them at τ = 1."""
    losses, weights = token_losses(LOGITS, TARGETS), torch.full((12,), 2.0)
    p = LOGITS.softmax(-1)[torch.arange(12), TARGETS]
    between = float(p.sort().values[5:7].mean())
    kept = unlearnt(losses, weights, between)
    assert torch.equal(kept, torch.where(p < between, 2.0, 0.0))
    assert int((kept == 2).sum()) == 6
    assert torch.equal(unlearnt(losses, weights, 1.0), weights)
    assert weighted(losses, unlearnt(losses, weights, 0.0), ALONE, 1).item() == 0


def test_the_distance_to_the_base_is_torchs_kl() -> None:
    """KL(base ‖ adapted), 0 between equals."""
    expected = functional.kl_div(LOGITS.log_softmax(-1), OTHER.softmax(-1), reduction="batchmean")
    assert kl_to_base(LOGITS, OTHER).mean().item() == pytest.approx(expected.item(), rel=1e-5)
    assert kl_to_base(LOGITS, LOGITS).abs().max().item() < 1e-6


def test_the_distance_to_a_teacher_is_the_whole_kl_when_all_tokens_are_known() -> None:
    """With fewer it is less, never negative, and 0 between equals."""
    whole = kl_to_base(LOGITS, OTHER)
    before = torch.zeros(12)
    for k in (1, 5, 20, 30):
        top = OTHER.log_softmax(-1).topk(k)
        found = kl_to_teacher(LOGITS, top.indices, top.values)
        assert (found >= before - 1e-5).all()
        assert (found <= whole + 1e-4).all()
        before = found
    assert torch.allclose(before, whole, atol=1e-4)
    same = LOGITS.log_softmax(-1).topk(5)
    assert kl_to_teacher(LOGITS, same.indices, same.values).abs().max() < 1e-5


def test_preference_is_that_of_kto() -> None:
    """1 − σ(β·r) where it was rated up, 1 − σ(−β·r) where down: ½ at the base, and lower the better the reply fits."""
    ratios, good = torch.tensor([0.0, 3.0, 3.0, -50.0]), torch.tensor([True, True, False, False])
    found = preference(ratios, good, 0.5)
    assert found.tolist() == pytest.approx([0.5, 1 / (1 + 2.71828**1.5), 1 - 1 / (1 + 2.71828**1.5), 0.0], abs=1e-4)

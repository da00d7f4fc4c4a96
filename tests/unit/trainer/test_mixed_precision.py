"""Mixed precision on processors: frozen weights in bf16, adapters and sums in fp32."""

import math
from typing import Any

import pytest
import torch
from peft.tuners.lora.layer import Linear

from services.trainer.adapters.cpu.lora_product import fuse, use_bf16_weights
from services.trainer.adapters.token_rows import token_rows
from services.trainer.domain.precision import decide_precision
from tests.unit.trainer import tiny_model
from tests.unit.trainer.test_fast_training import adapted, base, gradients, padded

__all__ = ["base"]


@pytest.mark.parametrize(
    ("kind", "speedup", "chosen", "reason"),
    [
        ("lora", 2.1, "mixed", "multiplies bf16 2.1 times as fast as fp32; adapters, sums and the residual stream"),
        ("full", 2.1, "bf16", "2.1 times as fast as fp32; trained weights"),
        ("lora", 1.2, "fp32", "1.2 times as fast as fp32"),
        ("lora", 0.2, "fp32", "0.2 times as fast as fp32"),
        ("lora", math.inf, "bf16", "the GPU supports it"),
        ("lora", 0.0, "fp32", "0.0 times"),
    ],
)
def test_the_fastest_precision_with_the_loss_of_fp32_is_chosen_and_explained(
    kind: Any, speedup: float, chosen: str, reason: str
) -> None:
    precision = decide_precision("auto", kind, speedup)
    assert precision.format == chosen
    assert reason in precision.reason


def test_a_requested_precision_is_used() -> None:
    assert decide_precision("fp32", "lora", 3.0).format == "fp32"


def round_frozen_weights(model: torch.nn.Module) -> None:
    """As in base models that are stored in bf16."""
    for parameter in model.parameters():
        if not parameter.requires_grad:
            parameter.data = parameter.data.bfloat16().float()


@pytest.mark.parametrize("exact", [True, False])
def test_frozen_weights_in_bf16_change_loss_and_gradients_only_by_rounding(base: str, exact: bool) -> None:
    """Weights that bf16 cannot represent stay in fp32, where nothing changes at all."""
    plain, fast = adapted(base)[0], adapted(base)[0]
    if exact:
        for model in (plain, fast):
            round_frozen_weights(model)
    assert use_bf16_weights(fast) == (14 if exact else 0)
    assert fuse(fast) == 14
    inputs = padded(token_rows(tiny_model.rows(9), tiny_model.tokenizer(), 1000))
    losses = [model(**inputs).loss for model in (plain, fast)]
    for loss in losses:
        loss.backward()
    true, found = gradients(plain), gradients(fast)
    assert losses[1].item() == pytest.approx(losses[0].item(), abs=2e-3 if exact else 1e-5)
    for name in true:
        error = (found[name] - true[name]).norm() / true[name].norm().clamp(min=1e-9)
        assert error < (0.03 if exact else 1e-4), name


def test_a_change_of_an_adapter_too_small_for_bf16_reaches_the_output(base: str) -> None:
    """In bf16 alone it would be rounded away: that is why the adapters' products are added in fp32."""
    model = adapted(base)[0]
    round_frozen_weights(model)
    layer = next(module for module in model.modules() if isinstance(module, Linear))
    use_bf16_weights(model)
    fuse(model)
    x = torch.randn(3, layer.in_features)
    with torch.no_grad():
        before = layer(x)
        layer.lora_B["default"].weight += 1e-6
        after = layer(x.clone())
    change = after - before
    assert (change != 0).all()
    assert change.abs().max() < 2**-9 * before.abs().max()


def test_fused_layers_with_bf16_weights_work_without_adapters(base: str) -> None:
    model = adapted(base)[0]
    round_frozen_weights(model)
    use_bf16_weights(model)
    fuse(model)
    inputs = padded(token_rows(tiny_model.rows(3), tiny_model.tokenizer(), 1000))
    with model.disable_adapter(), torch.no_grad():
        assert model(**inputs).loss.isfinite()

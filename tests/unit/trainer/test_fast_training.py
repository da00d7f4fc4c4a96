"""The training code for processors gives the losses and gradients of the plain code."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.nn import functional
from transformers import LlamaForCausalLM

from services.trainer.adapters.cpu.answer_loss import answer_loss
from services.trainer.adapters.cpu.lora_product import fuse
from services.trainer.adapters.cpu.packing import can_pack, pack, use_packed_attention
from services.trainer.adapters.token_rows import IGNORED, TokenRow, token_rows
from tests.unit.trainer import tiny_model

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_model.save(tmp_path_factory.mktemp("base")))


@pytest.mark.parametrize("frozen_head", [True, False])
def test_the_answer_loss_is_cross_entropy_in_value_and_gradients(frozen_head: bool) -> None:
    torch.manual_seed(1)
    hidden, head = torch.randn(600, 24, requires_grad=True), torch.randn(91, 24, requires_grad=not frozen_head)
    targets = torch.randint(0, 91, (600,))
    plain = functional.cross_entropy(hidden @ head.T, targets, reduction="sum")
    wanted = torch.autograd.grad(plain / 7, [hidden] if frozen_head else [hidden, head])
    loss, right = answer_loss(hidden, head, targets)
    (loss / 7).backward()
    assert loss.item() == pytest.approx(plain.item(), rel=1e-5)
    assert right == (hidden @ head.T).argmax(1).eq(targets).sum()
    for found, true in zip((hidden.grad, head.grad), wanted, strict=False):
        torch.testing.assert_close(found, true, rtol=1e-4, atol=1e-5)
    assert frozen_head is (head.grad is None)


def test_the_answer_loss_stores_no_gradients_when_none_are_needed() -> None:
    hidden, head = torch.randn(5, 8, requires_grad=True), torch.randn(11, 8)
    with torch.no_grad():
        loss, _ = answer_loss(hidden, head, torch.zeros(5, dtype=torch.long))
    assert not loss.requires_grad


def adapted(base: str, **settings: object) -> tuple[torch.nn.Module, LlamaForCausalLM]:
    model = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32)
    torch.manual_seed(2)
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False, **settings)
    return get_peft_model(model, config), model


def padded(rows: list[TokenRow]) -> dict[str, torch.Tensor]:
    longest = max(len(row["input_ids"]) for row in rows)
    fill = [longest - len(row["input_ids"]) for row in rows]
    return {
        "input_ids": torch.tensor([[*row["input_ids"], *[0] * n] for row, n in zip(rows, fill, strict=True)]),
        "labels": torch.tensor([[*row["labels"], *[IGNORED] * n] for row, n in zip(rows, fill, strict=True)]),
        "attention_mask": torch.tensor(
            [[*[1] * len(row["input_ids"]), *[0] * n] for row, n in zip(rows, fill, strict=True)]
        ),
    }


def gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def unlike(rows: list[TokenRow]) -> list[TokenRow]:
    """The same rows without a common prefix."""
    return [TokenRow(input_ids=[n, *row["input_ids"][1:]], labels=row["labels"]) for n, row in enumerate(rows)]


@pytest.mark.parametrize("window", [None, 20])
@pytest.mark.parametrize("alike", [True, False])
def test_packed_rows_give_the_loss_and_gradients_of_padded_rows(base: str, window: int | None, alike: bool) -> None:
    tokenizer = tiny_model.tokenizer()
    rows = token_rows(tiny_model.rows(9), tokenizer, 1000)
    rows = rows if alike else unlike(rows)
    plain, _ = adapted(base)
    inputs = padded(rows)
    if window is not None:
        length = inputs["input_ids"].shape[1]
        at = torch.arange(length)
        seen = (at[:, None] >= at) & (at[:, None] - at < window)
        inputs["attention_mask"] = seen[None, None] & inputs["attention_mask"].bool()[:, None, None]
    wanted = plain(**inputs).loss
    wanted.backward()

    fast, inner = adapted(base)
    assert can_pack(inner)
    use_packed_attention(inner)
    # Seven products in each of two layers.
    assert fuse(fast) == 14
    batch = pack(rows)
    # The start of the turn and "say ", one token per byte.
    assert batch["shared"] == (len(tokenizer("<|im_start|>user\nsay ")["input_ids"]) if alike else 0)
    assert batch["input_ids"].shape[1] == batch["shared"] + sum(batch["row_lengths"])
    assert batch["input_ids"].shape[1] < sum(len(row["input_ids"]) for row in rows)
    answers = batch["shift_labels"] != IGNORED
    read = {name: batch[name] for name in ("input_ids", "position_ids", "row_lengths", "shared")}
    hidden = inner.model(**read, use_cache=False, sliding_window=window).last_hidden_state[answers]
    loss, _ = answer_loss(hidden, inner.lm_head.weight, batch["shift_labels"][answers])
    mean = loss / answers.sum()
    mean.backward()
    assert mean.item() == pytest.approx(wanted.item(), abs=1e-5)
    true, found = gradients(plain), gradients(fast)
    assert true.keys() == found.keys()
    for name in true:
        torch.testing.assert_close(found[name], true[name], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("settings", [{"lora_dropout": 0.1}, {"use_dora": True}, {"lora_bias": True}])
def test_layers_other_than_plain_lora_are_not_fused(base: str, settings: dict[str, object]) -> None:
    model, _ = adapted(base, **settings)
    assert fuse(model) == 0


def test_the_shared_prefix_ends_before_the_first_answer() -> None:
    row = TokenRow(input_ids=[1, 2, 3, 4], labels=[IGNORED, IGNORED, 3, 4])
    assert pack([row, row])["shared"] == 1
    assert pack([row])["shared"] == 0
    # A plain text, which is learned from its first token on.
    text = TokenRow(input_ids=[1, 2, 3], labels=[1, 2, 3])
    both = pack([text, text])
    assert (both["shared"], both["row_lengths"], both["shift_labels"].tolist()) == (0, (2, 2), [[2, 3, 2, 3]])


def test_fused_layers_are_right_without_adapters_and_when_called_alone(base: str) -> None:
    fast, inner = adapted(base)
    fuse(fast)
    attention = inner.model.layers[0].self_attn
    x = torch.randn(1, 5, tiny_model.SHAPE.hidden_size)
    # In another order, twice, and with another input in between: each call returns the result for its own input.
    for layer in (attention.k_proj, attention.k_proj, attention.q_proj):
        torch.testing.assert_close(layer(x), type(layer).forward(layer, x), rtol=1e-4, atol=1e-5)
        layer(torch.zeros_like(x))
    with fast.disable_adapter():
        torch.testing.assert_close(attention.v_proj(x), attention.v_proj.base_layer(x))
    torch.testing.assert_close(attention.v_proj(x), type(attention.v_proj).forward(attention.v_proj, x))

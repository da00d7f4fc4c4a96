"""LoRA layers as fused matrix products: no other pass over the activations, and thin products are combined."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from peft.tuners.lora.layer import Linear
from torch import nn
from torch.nn import functional

# Layers of one block that get the same input in common architectures.
_SAME_INPUT = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))


class _LoraProducts(torch.autograd.Function):
    """`x W' + bias + scale (x A') B'` for one x and several frozen W.

    `matrices` are W, A, B of the first layer, then of the next. All x A' are one product, as are all gradients of A.
    Frozen weights W may be in bf16: x and gradients are then rounded for their products alone, while the adapters,
    their products and all sums stay in fp32, so that the small changes of a young adapter are not rounded away.
    """

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, scales: Sequence[float], biases: Sequence[torch.Tensor | None], *matrices: Any
    ) -> tuple[torch.Tensor, ...]:
        weights, a, b = matrices[::3], matrices[1::3], matrices[2::3]
        flat, down = x.reshape(-1, x.shape[-1]), a[0] if len(a) == 1 else torch.cat(a)
        low = flat @ down.T
        ctx.save_for_backward(flat, low, down, *weights, *b)
        ctx.scales, ctx.ranks = scales, [len(each) for each in a]
        parts = zip(low.split(ctx.ranks, 1), weights, biases, b, scales, strict=True)
        rounded = flat.to(weights[0].dtype)
        out = [_linear(rounded, w, bias).addmm_(part, up.T, alpha=s) for part, w, bias, up, s in parts]
        return tuple(each.view(*x.shape[:-1], -1) for each in out)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        flat, low, down, *others = ctx.saved_tensors
        weights, b = others[: len(grads)], others[len(grads) :]
        flats = [grad.reshape(-1, grad.shape[-1]) for grad in grads]
        ups = [(grad @ each).mul_(scale) for grad, each, scale in zip(flats, b, ctx.scales, strict=True)]
        up = ups[0] if len(ups) == 1 else torch.cat(ups, 1)
        to_x = None
        if ctx.needs_input_grad[0]:
            to_x = up @ down
            for grad, weight in zip(flats, weights, strict=True):
                if weight.dtype == grad.dtype:
                    to_x.addmm_(grad, weight)
                else:
                    to_x += _bf16_product(grad.bfloat16(), weight)
            to_x = to_x.view(*grads[0].shape[:-1], -1)
        to_a = (up.T @ flat).split(ctx.ranks)
        lows = zip(low.split(ctx.ranks, 1), flats, ctx.scales, strict=True)
        to_b = [(part.T @ grad).mul_(scale).T for part, grad, scale in lows]
        return to_x, None, None, *(g for pair in zip(to_a, to_b, strict=True) for g in (None, *pair))


class _Group:
    """Layers with the same input: the first one called computes the results of all."""

    def __init__(self, layers: Sequence[Any]) -> None:
        self._layers = layers
        self._input: torch.Tensor | None = None
        self._ready: dict[int, torch.Tensor] = {}

    def forward(self, place: int, x: torch.Tensor) -> torch.Tensor:
        if any(layer.disable_adapters or layer.merged for layer in self._layers):
            layer = self._layers[place]
            return type(layer).forward(layer, x)
        if x is not self._input or place not in self._ready:
            self._input, self._ready = x, dict(enumerate(_products(self._layers, x)))
        result = self._ready.pop(place)
        if not self._ready:
            self._input = None
        return result


class Bf16Linear(nn.Linear):
    """A frozen linear layer whose weight is in bf16; input, output and bias are in fp32."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return _linear(input.to(self.weight.dtype), self.weight, self.bias)


def _linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    if weight.dtype == torch.float32:
        return functional.linear(x, weight, bias)
    out = _bf16_product(x, weight.T)
    return out if bias is None else out.add_(bias)


def _bf16_product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a @ b).float()


def use_bf16_weights(model: nn.Module) -> int:
    """Keep the frozen weights of all plain LoRA layers in bf16; returns the number of layers.

    Weights that bf16 cannot represent exactly stay in fp32, so that the model itself does not change.
    """
    plain = [module.base_layer for module in model.modules() if _is_plain(module)]
    exact = [layer for layer in plain if torch.equal(layer.weight.bfloat16().float(), layer.weight)]
    for layer in exact:
        layer.weight.data = layer.weight.data.bfloat16()
        layer.__class__ = Bf16Linear
    return len(exact)


def fuse(model: nn.Module) -> int:
    """Use the fused products in every plain LoRA layer over a frozen linear layer; returns the number of layers."""
    fused = 0
    for block in list(model.modules()):
        layers = {name: child for name, child in block.named_children() if _is_plain(child)}
        for names in (*_SAME_INPUT, *((name,) for name in layers if not any(name in names for names in _SAME_INPUT))):
            members = [layers[name] for name in names if name in layers]
            group = _Group(members)
            for place, layer in enumerate(members):
                layer.forward = partial(group.forward, place)
            fused += len(members)
    return fused


def _products(layers: Sequence[Any], x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    matrices, scales = [], []
    for layer in layers:
        [name] = layer.active_adapters
        matrices += [layer.base_layer.weight, layer.lora_A[name].weight, layer.lora_B[name].weight]
        scales.append(layer.scaling[name])
    biases = [layer.base_layer.bias for layer in layers]
    return _LoraProducts.apply(x, scales, biases, *matrices)  # type: ignore[return-value]


def _is_plain(module: nn.Module) -> bool:
    """One adapter in fp32 without dropout, bias or variant (such as DoRA), over a frozen `nn.Linear`."""
    if (
        type(module) is not Linear
        or type(module.base_layer) not in (nn.Linear, Bf16Linear)
        or len(module.active_adapters) != 1
    ):
        return False
    [name] = module.active_adapters
    adapter = (module.lora_A[name].weight, module.lora_B[name].weight)
    in_fp32 = all(parameter.dtype == torch.float32 for parameter in adapter)
    known = type(module.base_layer) is Bf16Linear or module.base_layer.weight.dtype == torch.float32
    frozen = not any(parameter.requires_grad for parameter in module.base_layer.parameters())
    plain = isinstance(module.lora_dropout[name], nn.Identity) and name not in module.lora_variant
    return frozen and plain and module.lora_B[name].bias is None and in_fp32 and known

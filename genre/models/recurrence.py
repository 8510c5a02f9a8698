"""The recurrence of IndRNN, h_t = ReLU(a_t + u ⊙ h_{t−1}), h_0 = 0: a loop for CPUs, a scan for GPUs.

With plain autograd, a loop over T steps costs O(T²): the gradient of each step's slice is as large as the sequence.
Here the recurrence is one autograd function. Its backward pass is a recurrence that begins at the last step:
g_t = [h_t > 0] · (dL/dh_t + u ⊙ g_{t+1}) is the gradient of a_t, and Σ g_t ⊙ h_{t−1} that of u.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

#: The number of steps per call in the loop's backward pass: few enough for the cache, enough to outweigh a call.
STEPS = 32


def recur(a: Tensor, u: Tensor) -> Tensor:
    """The states h, ``(T, B, units)``: by a loop on a CPU, by a scan on a GPU, where a loop launches too many kernels.

    An exported graph also has the scan, as a loop would be unrolled; an ONNX model has ONNX's own recurrence. ``a`` is
    the input of each step, ``(T, B, units)``; under autocast it is in half precision, but the states have the precision
    of ``u``.
    """
    if torch.onnx.is_in_onnx_export():
        return recur_in_onnx(a, u)
    return recur_by_loop(a, u) if on_cpu(a) else recur_by_scan(a, u)


def on_cpu(x: Tensor) -> bool:
    """Whether a CPU computes with ``x`` here and now. An exported graph may run on any device."""
    return x.device.type == "cpu" and not torch.compiler.is_exporting()


def linear_over_time(linear: nn.Linear, x: Tensor) -> Tensor:
    """``linear`` of ``(T, B, inputs)``; on a CPU it is computed as a convolution of 1 × 1.

    The product is the same, but PyTorch computes convolutions by oneDNN and products by MKL, which takes twice as
    long on AMD's processors.
    """
    if not on_cpu(x) or not x.numel():  # no convolution takes an empty batch
        product: Tensor = linear(x)
        return product
    pixels = x.reshape(1, 1, -1, x.shape[-1]).permute(0, 3, 1, 2)  # (T, B, inputs) → (1, inputs, 1, T·B)
    pixels = nn.functional.conv2d(pixels, linear.weight[:, :, None, None], linear.bias)
    return pixels.permute(0, 2, 3, 1).reshape(*x.shape[:2], -1)  # (1, units, 1, T·B) → (T, B, units)


def recur_by_loop(a: Tensor, u: Tensor) -> Tensor:
    """``recur`` in T steps."""
    h: Tensor = _Loop.apply(a.to(torch.promote_types(a.dtype, u.dtype)), u)
    return h


def recur_by_scan(a: Tensor, u: Tensor) -> Tensor:
    """``recur`` in O(log T) steps."""
    h: Tensor = _Scan.apply(a.to(torch.promote_types(a.dtype, u.dtype)), u)
    return h


def recur_in_onnx(a: Tensor, u: Tensor) -> Tensor:
    """``recur`` as ONNX's RNN with ReLU: its input weights are the unit matrix, its recurrent ones diag(u)."""
    units = len(u)
    states = torch.onnx.ops.symbolic(
        "RNN",
        (a, torch.eye(units)[None], u.diag()[None]),
        {"activations": ["Relu"], "hidden_size": units},
        dtype=a.dtype,
        shape=(a.shape[0], 1, a.shape[1], units),  # the second is the number of directions
    )
    return states.squeeze(1)


class _Loop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, u: Tensor) -> Tensor:
        h = a.new_empty(len(a) + 1, *a.shape[1:])  # h_0 and the T states
        h[0] = 0
        states = h.unbind()
        u = u.expand(a.shape[1:]).contiguous()  # an operation on equal layouts is faster than a broadcast
        for entering, before, now in zip(a.unbind(), states, states[1:], strict=False):
            torch.addcmul(entering, u, before, out=now).relu_()
        ctx.save_for_backward(h, u)
        return h[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        h, u = ctx.saved_tensors
        grad_a, grad_u, after = torch.empty_like(grad), torch.zeros_like(u), torch.zeros_like(u)
        parts = zip(*(x.split(STEPS) for x in (grad, grad_a, h[:-1], h[1:])), strict=True)
        for part_grad, part_grad_a, before, now in reversed(list(parts)):
            active = now.sign()
            torch.mul(part_grad, active, out=part_grad_a)
            for step, gain in zip(reversed(part_grad_a.unbind()), reversed((active * u).unbind()), strict=True):
                after = step.addcmul_(gain, after)
            grad_u += (part_grad_a * before).sum(0)
        return grad_a, grad_u.sum(0)


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, u: Tensor) -> Tensor:
        h = _states(a, u.expand_as(a), low=0.0)
        ctx.save_for_backward(h, u)
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        h, u = ctx.saved_tensors
        active = h.sign()
        grad_a = _states((grad * active).flip(0), (u * active).flip(0)).flip(0)
        return grad_a, (grad_a[1:] * h[:-1]).sum((0, 1))


def _states(a: Tensor, gain: Tensor, low: float = -torch.inf) -> Tensor:
    """The states h_t = max(a_t + gain_t ⊙ h_{t−1}, low), from h = 0, in O(log T) steps."""
    bounds = (a.new_full((), bound).expand_as(a) for bound in (low, torch.inf))
    return _apply([a, gain, *bounds])


def _apply(maps: list[Tensor]) -> Tensor:
    """The states after each of T maps h → clamp(alpha + beta ⊙ h, low, high), from h = 0.

    The composition of two such maps is such a map. So every second state is computed from half as many maps, and each
    state between from the state before it.
    """
    alpha, beta, low, high = maps
    if len(alpha) == 1:
        return alpha.clamp(low, high)
    h = torch.empty_like(alpha, memory_format=torch.contiguous_format)
    paired = len(alpha) // 2 * 2
    h[1::2] = _apply(_compose([m[0:paired:2] for m in maps], [m[1::2] for m in maps]))
    h[0] = alpha[0].clamp(low[0], high[0])
    h[2::2] = torch.addcmul(alpha[2::2], beta[2::2], h[1:-1:2]).clamp(low[2::2], high[2::2])
    return h


def _compose(first: list[Tensor], second: list[Tensor]) -> list[Tensor]:
    """The maps ``first``, followed by ``second``."""
    alpha1, beta1, *bounds1 = first
    alpha2, beta2, low2, high2 = second
    # The first bounds go through the second map. Where beta is negative they change places. Where it is 0, as
    # a product of many small ones may be, they meet at alpha: 0 · inf has to be 0.
    ends = [(beta2 * bound).nan_to_num(0.0, torch.inf, -torch.inf) for bound in bounds1]
    return [
        torch.addcmul(alpha2, beta2, alpha1),
        beta1 * beta2,
        (alpha2 + torch.minimum(*ends)).clamp(low2, high2),
        (alpha2 + torch.maximum(*ends)).clamp(low2, high2),
    ]

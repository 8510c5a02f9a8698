from collections.abc import Callable
from typing import Literal, cast

import pytest
import torch
from torch import Tensor

from genre.models import IndRNN
from genre.models.indrnn import IndRNNLayer
from genre.models.recurrence import linear_over_time, recur, recur_by_loop, recur_by_scan

Recur = Callable[[Tensor, Tensor], Tensor]
both_paths = pytest.mark.parametrize("path", [recur_by_loop, recur_by_scan])


def layers_of(model: IndRNN) -> list[IndRNNLayer]:
    return cast(list[IndRNNLayer], list(model.layers))


def naive(a: Tensor, u: Tensor) -> Tensor:
    h = torch.zeros_like(a[0])
    states = []
    for t in range(len(a)):
        h = torch.relu(a[t] + u * h)
        states.append(h)
    return torch.stack(states)


def inputs(steps: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    torch.manual_seed(steps)
    # negative weights, where a state's bounds change places; 0 and one whose powers are 0 in the end
    u = torch.tensor([1.01, 0.9, -0.9, -1.01, 0.0, 1e-120, -1e-120], dtype=torch.float64)
    return torch.randn(steps, 3, 7, dtype=dtype, requires_grad=True), u.to(dtype).requires_grad_()


@both_paths
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 8, 13, 64, 130, 257])
def test_values_and_gradients_of_a_plain_loop(path: Recur, steps: int) -> None:
    a, u = inputs(steps)
    weight = torch.randn_like(a)
    expected, actual = naive(a, u), path(a, u)
    torch.testing.assert_close(actual, expected, rtol=1e-11, atol=1e-11)
    gradients = [torch.autograd.grad((h * weight).sum(), (a, u)) for h in (expected, actual)]
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-10, atol=1e-10)


@both_paths
@pytest.mark.parametrize("steps", [1, 2, 7, 8])
def test_gradcheck(path: Recur, steps: int) -> None:
    assert torch.autograd.gradcheck(path, inputs(steps))


@both_paths
def test_float32_over_a_whole_track(path: Recur) -> None:
    torch.manual_seed(0)
    bound = 2 ** (1 / 1292)
    a = torch.randn(1292, 2, 64, requires_grad=True)
    u = torch.empty(64).uniform_(-bound, bound).requires_grad_()
    expected = naive(a.double(), u.double())
    actual = path(a, u)
    assert actual.dtype == torch.float32
    torch.testing.assert_close(actual.double(), expected, rtol=1e-4, atol=1e-3)
    gradients = [torch.autograd.grad(h[-1].sum(), (a, u)) for h in (expected, actual)]
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-3)


@both_paths
def test_any_layout_of_inputs_and_gradients(path: Recur) -> None:
    a, u = inputs(9)
    turned = a.detach().transpose(0, 1).contiguous().requires_grad_()
    actual = path(turned.transpose(0, 1), u)
    assert torch.equal(actual, path(a, u))
    grad = torch.autograd.grad(actual.sum(), turned)[0]  # an expanded gradient
    torch.testing.assert_close(grad, torch.autograd.grad(naive(a, u).sum(), a)[0].transpose(0, 1))


@both_paths
def test_half_precision_input_is_scanned_in_that_of_the_weights(path: Recur) -> None:
    a, u = inputs(50, torch.float32)
    half = a.detach().bfloat16().requires_grad_()
    h = path(half, u)
    assert h.dtype == torch.float32
    torch.testing.assert_close(h, naive(half.float(), u))
    h.sum().backward()
    assert half.grad is not None
    assert half.grad.dtype == torch.bfloat16


def test_the_loop_is_for_cpus() -> None:
    a, u = inputs(4)
    assert type(recur(a, u).grad_fn) is type(recur_by_loop(a, u).grad_fn)
    assert type(recur(a, u).grad_fn) is not type(recur_by_scan(a, u).grad_fn)


def test_an_exported_network_scans() -> None:
    model = IndRNN(4, bands=6, units=5, layers=2).eval()
    x = torch.randn(3, 1, 6, 33)
    with torch.no_grad():
        exported = torch.export.export(model, (x,))
        torch.testing.assert_close(exported.module()(x), model(x))
    assert "nan_to_num" in exported.graph_module.code


@pytest.mark.parametrize("norm", ["before", "after"])
def test_the_network_step_by_step(norm: Literal["before", "after"]) -> None:
    model = IndRNN(4, bands=6, units=5, layers=2, norm=norm)
    x = torch.randn(3, 1, 6, 11)
    h = x[:, 0].permute(2, 0, 1)

    def normed(y: Tensor) -> Tensor:
        return (y - y.mean((0, 1))) / (y.var((0, 1), unbiased=False) + 1e-5).sqrt()

    for layer in layers_of(model):
        a = h @ layer.linear.weight.T + layer.linear.bias
        h = naive(normed(a), layer.u) if norm == "before" else normed(naive(a, layer.u))
    torch.testing.assert_close(model(x), model.classifier(h[-1]))


@pytest.mark.parametrize("turned", [False, True])
def test_the_product_of_all_steps_is_that_of_linear(turned: bool) -> None:
    torch.manual_seed(0)
    linear = torch.nn.Linear(6, 5).double()
    x = torch.randn(3, 6, 11, dtype=torch.float64).permute(2, 0, 1)  # as the input lies; then as states lie
    x = x.requires_grad_() if turned else x.contiguous().requires_grad_()
    weight = torch.randn(11, 3, 5, dtype=torch.float64)
    expected, actual = linear(x), linear_over_time(linear, x)
    assert actual.is_contiguous()
    torch.testing.assert_close(actual, expected)
    leaves = (x, linear.weight, linear.bias)
    gradients = [torch.autograd.grad((y * weight).sum(), leaves) for y in (expected, actual)]
    torch.testing.assert_close(gradients[1], gradients[0])


def test_no_clip_at_all() -> None:
    assert IndRNN(4, bands=6, units=5, layers=2).eval()(torch.randn(0, 1, 6, 11)).shape == (0, 4)


def test_u_starts_within_its_bound() -> None:
    for steps, growth in ((130, 2.0), (10, 5.0)):
        u = torch.cat([layer.u for layer in layers_of(IndRNN(10, units=512, steps=steps, growth=growth))])
        assert 0 <= u.min() < 0.01
        assert 0.99 * growth ** (1 / steps) < u.max() <= growth ** (1 / steps)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
def test_u_stays_within_its_bound(kind: Callable[..., torch.optim.Optimizer]) -> None:
    model = IndRNN(10, bands=8, units=16, layers=2, steps=20)
    bound = 2 ** (1 / 20)
    optimiser = kind(model.parameters(), lr=5.0)
    x = torch.randn(4, 1, 8, 20)
    for _ in range(3):
        optimiser.zero_grad()
        model(x).square().mean().backward()
        assert all(layer.u.abs().max() <= bound + 1e-6 for layer in layers_of(model))
        optimiser.step()
    # After the last step the parameter may be outside, but nothing that is computed from it is.
    assert any(layer.u.abs().max() > bound for layer in layers_of(model))
    assert all(layer.eval().bounded_u().abs().max() <= bound + 1e-6 for layer in layers_of(model))
    # A checkpoint of this moment goes on as the model itself does.
    resumed = IndRNN(10, bands=8, units=16, layers=2, steps=20)
    resumed.load_state_dict(model.state_dict())
    assert torch.equal(resumed.train()(x), model.train()(x))


def test_u_at_its_bound_has_a_gradient_and_comes_back() -> None:
    model = IndRNN(10, bands=8, units=16, layers=1, steps=20)
    (layer,) = layers_of(model)
    layer.u.data.fill_(3.0)
    layer.bounded_u().sum().backward()
    assert torch.equal(layer.u, torch.full((16,), 2 ** (1 / 20)))
    assert layer.u.grad is not None
    assert torch.equal(layer.u.grad, torch.ones(16))


def test_two_forwards_before_one_backward() -> None:
    model = IndRNN(10, bands=8, units=16, layers=2, steps=20)
    x = torch.randn(4, 1, 8, 20)
    (model(x) + model(2 * x)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_dropout_has_one_mask_for_all_steps() -> None:
    (layer,) = layers_of(IndRNN(10, bands=8, units=64, layers=1, dropout=0.5, norm="before"))
    layer.linear.bias.data.fill_(5.0)
    layer.norm.bias.data.fill_(5.0)  # no state is zero of itself
    dropped = layer(torch.randn(12, 4, 8)) == 0
    assert 0.3 < dropped.float().mean() < 0.7
    assert torch.equal(dropped, dropped[:1].expand_as(dropped))
    assert not torch.equal(dropped[0, 0], dropped[0, 1])


def test_autocast() -> None:
    torch.manual_seed(0)
    model = IndRNN(10, bands=8, units=16, layers=2, steps=20)
    x = torch.randn(4, 1, 8, 20)
    exact = model(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(x)
    logits.float().square().sum().backward()
    torch.testing.assert_close(logits.float(), exact, rtol=0.1, atol=0.1)
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in model.parameters())

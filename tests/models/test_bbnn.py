import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genre.models.bbnn import BBNN, BroadcastBlock


def test_channels_grow_from_32_to_416() -> None:
    model = BBNN(10).eval()
    x = model.stem(torch.randn(1, 1, 16, 83))
    assert x.shape == (1, 32, 16, 20)  # pooled over time only
    for block, channels in zip(model.broadcast, (160, 288, 416), strict=True):
        below, x = x, block(x)
        assert x.shape == (1, channels, 16, 20)
        assert torch.equal(x[:, 128:], below)
    assert model.transition(x).shape == (1, 32, 8, 10)


def test_the_paths_of_a_block() -> None:
    block = BroadcastBlock(32)
    for norm in (m for m in block.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight)
        nn.init.uniform_(norm.bias)
    x = torch.randn(2, 32, 6, 7)
    norms = [m for m in block.modules() if isinstance(m, nn.BatchNorm2d)]
    convs = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
    assert [c.kernel_size[0] for c in convs] == [1, 1, 3, 1, 5, 1]

    def layer(i: int, y: Tensor) -> Tensor:
        mean, var = y.mean((0, 2, 3), keepdim=True), y.var((0, 2, 3), unbiased=False, keepdim=True)
        scale, shift = norms[i].weight.view(1, -1, 1, 1), norms[i].bias.view(1, -1, 1, 1)
        y = F.relu((y - mean) / (var + 1e-3).sqrt() * scale + shift)
        return F.conv2d(y, convs[i].weight, convs[i].bias, padding="same")

    pooled = F.max_pool2d(F.pad(x, (1, 1, 1, 1), value=-torch.inf), 3, 1)
    paths = [layer(0, x), layer(2, layer(1, x)), layer(4, layer(3, x)), layer(5, pooled)]
    torch.testing.assert_close(block(x), torch.cat([*paths, x], dim=1), rtol=1e-4, atol=1e-4)

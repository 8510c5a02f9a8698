"""Where the weights of MusiCNN lie, and how they are read: without TensorFlow, and without an import of `musicnn`."""

from collections import Counter
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from timm.models import load_state_dict
from torch import Tensor, nn

from genre.errors import GenreError
from genre.models.tensorflow_checkpoint import read_tensors

#: Where they lie in the distribution `musicnn` 0.1.0, by the data set that they were trained on.
FILES = {"msd": "musicnn/MSD_musicnn/.index", "mtt": "musicnn/MTT_musicnn/.index"}

#: TensorFlow's names of the layers and of their tensors.
NORM = (
    "batch_normalization",
    {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"},
)
CONVOLUTION = ("conv2d", {"weight": "kernel", "bias": "bias"})
DENSE = ("dense", {"weight": "kernel", "bias": "bias"})
LAYERS: dict[type[nn.Module], tuple[str, dict[str, str]]] = {
    nn.BatchNorm1d: NORM,
    nn.BatchNorm2d: NORM,
    nn.Conv1d: CONVOLUTION,
    nn.Conv2d: CONVOLUTION,
    nn.Linear: DENSE,
}


def read_weights(source: str, module: nn.Module) -> dict[str, Tensor]:
    """Reads the ``state_dict`` of a :class:`~genre.models.MusiCNN` or of its backbone: all of it, or none.

    Args:
        source: "msd", "mtt" or a file; see :class:`~genre.models.MusiCNN`.
        module: What the weights are for.

    Raises:
        GenreError: The weights are not at hand, or do not fit.
    """
    if source in FILES:
        return _read_tensorflow(_installed(FILES[source]), module)
    file = Path(source).expanduser()
    if not file.is_file():
        raise GenreError(
            f"pretrained: {source} is no file and no name of weights for MusiCNN; pass msd, mtt, a file (.index, .pth "
            "or .safetensors), or false"
        )
    return _read_tensorflow(file, module) if file.name.endswith(".index") else _read_state(file, module)


def _installed(path: str) -> Path:
    try:
        # Not by importlib.util.find_spec, which takes any folder named musicnn for the package.
        return Path(str(distribution("musicnn").locate_file(path)))
    except PackageNotFoundError:
        raise GenreError(
            "the weights of MusiCNN are not installed: pip install --no-deps musicnn==0.1.0 (29 MB)"
        ) from None


def _read_tensorflow(index: Path, module: nn.Module) -> dict[str, Tensor]:
    """Reads the original's checkpoint, whose layers of a kind are numbered in the order in which they follow here."""
    state, numbers = module.state_dict(), Counter[str]()
    sources: dict[str, str] = {}
    for path, layer in module.named_modules():
        if type(layer) not in LAYERS:
            continue
        kind, names = LAYERS[type(layer)]
        prefix = f"{kind}_{numbers[kind]}" if numbers[kind] else kind
        numbers[kind] += 1
        sources |= {f"{path}.{ours}": f"{prefix}/{theirs}" for ours, theirs in names.items()}
    tensors = read_tensors(index, {theirs: _shape(state[ours]) for ours, theirs in sources.items()})
    for ours, theirs in sources.items():
        reverse = state[ours].shape[::-1]
        state[ours] = tensors[theirs].reshape(reverse).permute(*reversed(range(len(reverse)))).contiguous()
    return state


def _shape(tensor: Tensor) -> tuple[int, ...]:
    """TensorFlow's shape of a tensor: the axes in reverse; a convolution over time is one over an image 1 wide."""
    reverse = tuple(tensor.shape[::-1])
    return (*reverse[:2], 1, reverse[2]) if len(reverse) == 3 else reverse


def _read_state(file: Path, module: nn.Module) -> dict[str, Tensor]:
    """Reads a ``.pth`` or ``.safetensors`` file of a whole network or of its backbone."""
    try:
        found = load_state_dict(str(file), weights_only=True)
        found = {name.removeprefix("backbone."): tensor for name, tensor in found.items()}
        ours = module.state_dict()
        misfits = [name for name, tensor in ours.items() if name not in found or found[name].shape != tensor.shape]
    except Exception as error:  # whatever torch, safetensors or timm find wrong with the file
        raise GenreError(f"{file}: no weights for MusiCNN ({type(error).__name__} while it was read)") from None
    if misfits:
        raise GenreError(
            f"{file}: no weights for MusiCNN ({len(misfits)} of its {len(ours)} tensors are not in the file or have "
            f"another shape, {misfits[0]} among them)"
        )
    return {name: found[name] for name in ours}

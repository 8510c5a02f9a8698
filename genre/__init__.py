"""Music genre classification that people can believe.

``__init__.pyi`` lists the public names. They are imported on first use, so ``genre --help`` does not import torch.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, _, names = lazy_loader.attach_stub(__name__, __file__)
__all__ = sorted([*names, "__version__"])


def __dir__() -> list[str]:
    return __all__

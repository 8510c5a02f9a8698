"""Music genre classification that people can believe.

The public names stand in ``__init__.pyi`` and are imported on first use, so that ``genre --help`` loads no torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

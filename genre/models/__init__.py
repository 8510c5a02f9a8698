"""The networks: plain ``nn.Module``s from ``(B, 1, frequency, time)`` to ``(B, classes)`` logits.

``__init__.pyi`` lists them. They are imported on first use, so that a prediction imports its own network alone.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

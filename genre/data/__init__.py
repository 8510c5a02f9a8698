"""From a folder of audio to batches of features.

The features and augmentations are those of :mod:`genre.audio`; configurations may name them here, too.
``__init__.pyi`` lists the public names. They are imported on first use, so that a prediction imports no Lightning.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

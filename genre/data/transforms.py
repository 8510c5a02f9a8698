"""The features and augmentations of :mod:`genre.audio`, which configurations may name in :mod:`genre.data`, too."""

from genre.audio import *  # noqa: F403
from genre.audio import __all__ as __all__

"""Imports what torch and Lightning import during the first fit, for the processes that are forked later."""

from contextlib import suppress

import torch

torch.optim.SGD([torch.zeros(1)], lr=0.1)  # the first optimizer imports torch's compiler, which takes seconds
with suppress(ImportError):  # an extra
    import torch.utils.tensorboard

"""``genre audit``: what is wrong with a data set, before anything is trained on it."""

from genre.audit.run import audit

__all__ = ["audit"]

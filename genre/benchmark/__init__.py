"""``genre benchmark``: a table of models, features and protocols by one command, beside the published figures."""

from genre.benchmark.benchmark import Options, benchmark

__all__ = ["Options", "benchmark"]

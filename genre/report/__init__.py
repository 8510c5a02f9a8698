"""The report of a run: written at its end, and read again for comparison."""

from genre.report.callback import Report

__all__ = ["Report"]

"""A classifier as files for others: a folder for the hub, or an ONNX model; one file for each format.

``genre/cli/export.py`` calls them, and ``export`` in ``genre/cli/verbs.py`` names the formats.
"""

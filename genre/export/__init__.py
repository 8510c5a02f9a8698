"""A classifier as files for others: a folder for the hub, or an ONNX model."""

"""Train from a frame, export to ONNX, prove that both agree, and register."""

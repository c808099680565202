"""What a training imports, in seconds in which nothing is written: ready before a run begins."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mlflow.onnx
    import onnxruntime
    import skl2onnx
    import sklearn.ensemble
    from dagster_mlflow import resources

__all__ = ["mlflow", "onnxruntime", "resources", "skl2onnx", "sklearn"]

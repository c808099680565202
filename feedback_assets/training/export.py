"""A fitted pipeline as an ONNX file that is the same bytes whenever the pipeline is the same."""

from typing import Any

from feedback_assets.errors import TrainingError
from feedback_assets.training.estimators import path_of
from feedback_assets.training.features import FeatureSpec
from feedback_assets.training.onnx_model import SPEC_KEY
from feedback_assets.training.pipeline import export_options

OPSETS = {"": 21, "ai.onnx.ml": 3}


def export(pipeline: Any, spec: FeatureSpec, name: str) -> bytes:
    """Convert; one input tensor [n, 1] per feature, by its name.

    Raises:
        TrainingError: a step of the pipeline has no converter.
    """
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator

    kinds = {"numeric": FloatTensorType, "categorical": StringTensorType, "text": StringTensorType}
    estimator = path_of(pipeline.steps[-1][1])
    try:
        model = to_onnx(
            pipeline,
            name=name,
            initial_types=[(column, kinds[kind]([None, 1])) for column, kind in spec.features],
            options=export_options(pipeline),
            target_opset=OPSETS,
        )
    except (MissingConverter, MissingShapeCalculator) as error:
        raise TrainingError(
            f"model.estimator: {estimator} has no converter to ONNX, and only ONNX models are "
            "served; choose hist_gradient_boosting, random_forest, linear or another scikit-learn "
            "estimator that skl2onnx supports"
        ) from error
    except (RuntimeError, NotImplementedError, ValueError, TypeError) as error:
        raise TrainingError(
            f"{estimator} cannot be exported to ONNX: {str(error)[:300]}"
        ) from error
    entry = model.metadata_props.add()
    entry.key, entry.value = SPEC_KEY, spec.to_json()
    opsets = sorted(model.opset_import, key=lambda opset: opset.domain)  # the converter's is random
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    return bytes(model.SerializeToString(deterministic=True))

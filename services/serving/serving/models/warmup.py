"""A version's own warm-up requests, run before it is served: they warm it up, and it must answer all of them."""

from pathlib import Path

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from contract.warmup import WARMUP_PATH
from serving.errors import ServingError, invalid_argument
from serving.models.predict import predict
from serving.models.servable import Servable

MAX_RECORDS = 1000


def run(servable: Servable, version_path: Path) -> int:
    """Run every record of the version's warmup file (TFRecords of ``PredictionLog``) and count them; 0 without a file.

    As in TensorFlow Serving, model names in the records are ignored.

    Raises:
        ServingError: the version does not answer a request, a record is not a PredictRequest, or the file is damaged.
    """
    path = version_path / WARMUP_PATH
    if not path.is_file():
        return 0
    count = 0
    try:
        for count, record in enumerate(tf.data.TFRecordDataset(str(path)).as_numpy_iterator(), start=1):
            if count > MAX_RECORDS:
                raise invalid_argument(f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {path}")
            predict(servable, _request(record, path))
    except tf.errors.DataLossError:
        raise ServingError(
            grpc.StatusCode.DATA_LOSS,
            f"corrupted record {count + 1} at {path}. Please verify your warmup data is in TFRecord format.",
        ) from None
    return count


def _request(record: bytes, path: Path) -> object:
    try:
        log = prediction_log_pb2.PredictionLog.FromString(record)
    except DecodeError:
        raise invalid_argument(f"Failed to parse warmup record: {record[:64]!r} from {path}") from None
    kind = log.WhichOneof("log_type")
    if kind != "predict_log":
        raise ServingError(
            grpc.StatusCode.UNIMPLEMENTED,
            f"Unsupported log_type for warmup: {kind} in {path}: only predict_log is served here",
        )
    return log.predict_log.request

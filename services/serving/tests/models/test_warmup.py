"""The load gate: the version's own warmup requests."""

import numpy as np
import pytest
import tensorflow as tf
from grpc import StatusCode
from tensorflow_serving.apis import prediction_log_pb2

from contract.warmup import WARMUP_PATH
from serving.errors import ServingError
from serving.models import warmup
from serving.models.servable import Servable

X = np.zeros(1, np.float32)


def warm(path):
    servable = Servable(path)
    try:
        return warmup.run(servable, path)
    finally:
        servable.close()


def test_every_record_is_run(publish, predict_request):
    assert warm(publish("m", 1, warmup=[predict_request("m", x=X), predict_request("other", x=X)])) == 2


def test_version_without_the_file_is_not_warmed_up(publish):
    assert warm(publish("m", 1)) == 0


@pytest.mark.parametrize(
    ("wrong", "code"),
    [({"z": X}, StatusCode.INVALID_ARGUMENT), ({"x": np.zeros(1, np.int32)}, StatusCode.INVALID_ARGUMENT)],
    ids=["alias", "dtype"],
)
def test_failing_request_fails(publish, predict_request, wrong, code):
    path = publish("m", 1, warmup=[predict_request("m", x=X), predict_request("m", **wrong)])
    with pytest.raises(ServingError) as error:
        warm(path)
    assert error.value.code is code


def _records(path, *records):
    file = path / WARMUP_PATH
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for record in records:
            writer.write(record)
    return file


def test_another_kind_of_request_fails(publish):
    path = publish("m", 1)
    log = prediction_log_pb2.PredictionLog()
    log.classify_log.SetInParent()
    _records(path, log.SerializeToString())
    with pytest.raises(ServingError, match="Unsupported log_type for warmup: classify_log") as error:
        warm(path)
    assert error.value.code is StatusCode.UNIMPLEMENTED


def test_invalid_record_fails(publish):
    path = publish("m", 1)
    _records(path, b"\xff\xff")
    with pytest.raises(ServingError, match="Failed to parse warmup record"):
        warm(path)


def test_damaged_file_fails(publish, predict_request):
    path = publish("m", 1, warmup=[predict_request("m", x=X)])
    file = path / WARMUP_PATH
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(ServingError, match="Please verify your warmup data is in TFRecord format") as error:
        warm(path)
    assert error.value.code is StatusCode.DATA_LOSS


def test_more_than_a_thousand_records_fail(publish, predict_request, monkeypatch):
    monkeypatch.setattr(warmup, "MAX_RECORDS", 2)
    path = publish("m", 1, warmup=[predict_request("m", x=X)] * 3)
    with pytest.raises(ServingError, match=r"exceeds the maximum \(2\)"):
        warm(path)

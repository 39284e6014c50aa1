"""One version in a session: what TensorFlow itself would not survive is refused before it runs."""

import numpy as np
import pytest
import tensorflow as tf
from grpc import StatusCode

from serving.errors import ServingError
from serving.models.servable import Servable


class Convolution(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32, name="image")])
    def blur(self, image):
        return {"blurred": tf.nn.conv2d(image, tf.ones([3, 3, 3, 1]) / 27, 1, "SAME")}


@pytest.fixture
def servable(tmp_path):
    module = Convolution()
    tf.saved_model.save(module, str(tmp_path), signatures=module.blur)
    servable = Servable(tmp_path)
    yield servable
    servable.close()


@pytest.mark.parametrize("shape", [(4, 5, 3), (1, 4, 5, 3, 1), ()], ids=str)
def test_convolution_input_of_another_rank_is_refused(servable, shape):
    """Let through, it aborts the process (tensorflow#111453)."""
    signature = servable.signatures["serving_default"]
    with pytest.raises(ServingError) as error:
        servable.run({signature.inputs["image"].name: np.ones(shape, np.float32)}, [signature.outputs["blurred"].name])
    assert error.value.code is StatusCode.INVALID_ARGUMENT
    assert error.value.message == f"input must be 4-dimensional[{','.join(map(str, shape))}]"


def test_input_of_its_rank_runs(servable):
    signature = servable.signatures["serving_default"]
    image = np.ones((2, 4, 5, 3), np.float32)
    (blurred,) = servable.run({signature.inputs["image"].name: image}, [signature.outputs["blurred"].name])
    assert blurred.shape == (2, 4, 5, 1)

import numpy as np
import pytest

from gateway.serving_client import pieces, tensors
from gateway.serving_client.protocol import serving_pb2 as pb

SPEC = pb.ModelSpec(name="shapes", signature_name="scores", version_label="stable")


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_request_in_pieces_is_what_protobuf_reads(dtype):
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(dtype)
    request = pieces.predict_request(SPEC, {"image": tensors.from_image(image)}, ["mask", "confidence"])
    assert request.model_spec is SPEC

    read = pb.PredictRequest.FromString(request.data)
    assert read.model_spec == SPEC
    assert list(read.output_filter) == ["mask", "confidence"]
    assert list(read.inputs) == ["image"]
    assert np.array_equal(tensors.to_array(read.inputs["image"], "image"), image[None])


def test_a_view_of_an_image_is_written_as_it_looks():
    """Mirrored, for instance, as EXIF may ask for."""
    image = np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)[:, ::-1]
    read = pb.PredictRequest.FromString(pieces.predict_request(SPEC, {"x": tensors.from_image(image)}, []).data)
    assert np.array_equal(tensors.to_array(read.inputs["x"], "x")[0], image)

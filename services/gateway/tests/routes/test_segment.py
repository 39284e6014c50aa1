"""POST /segment, parameter by parameter."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from segstack_testing.images import PHOTO_MASK, class_ids, encode


@pytest.fixture
def small_photo(photo) -> bytes:
    """A PNG of 8x4 pixels with the same four quarters."""
    return encode(photo[::24, ::16], "PNG")


def test_default_reply_is_an_indexed_png_with_its_classes(client, jpeg, card):
    reply = client.post("/segment", content=jpeg, headers={"Content-Type": "image/jpeg"})

    assert reply.status_code == 200
    assert reply.headers["content-type"] == "image/png"
    image = Image.open(io.BytesIO(reply.content))
    assert (image.mode, image.size) == ("P", (128, 96))
    assert np.array_equal(np.array(image), PHOTO_MASK)
    palette = np.array(image.getpalette()).reshape(-1, 3)
    for c in card.classes:
        assert tuple(palette[c.id]) == c.color
    assert image.info["transparency"] == 255
    described = json.loads(image.text["segstack-classes"])
    assert described["ignore_id"] == 255
    assert [c["name"] for c in described["classes"]] == [c.name for c in card.classes]


def test_reply_headers_have_model_version_request_id_and_timings(client, jpeg):
    reply = client.post("/segment", content=jpeg, headers={"X-Request-Id": "camera-7.42"})
    assert reply.headers["X-Model-Name"] == "shapes"
    assert reply.headers["X-Model-Version"] == "1"
    assert reply.headers["X-Request-Id"] == "camera-7.42"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    stages = [part.split(";dur=") for part in reply.headers["Server-Timing"].split(", ")]
    assert [name for name, _ in stages] == ["decode", "queue", "infer", "encode"]
    assert all(float(milliseconds) >= 0 for _, milliseconds in stages)


@pytest.mark.parametrize("sent", ["", "a" * 65, "two words", "<script>"])
def test_invalid_request_id_is_replaced(client, sent):
    assert client.get("/livez", headers={"X-Request-Id": sent}).headers["X-Request-Id"] not in ("", sent)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("declared", ["image/jpeg", "application/octet-stream", "text/html", None])
def test_format_is_detected_from_the_first_bytes(client, photo, kind, declared):
    headers = {"Content-Type": declared} if declared else {}
    reply = client.post("/segment", content=encode(photo, kind), headers=headers)
    assert reply.status_code == 200
    assert (class_ids(reply.content) == PHOTO_MASK).mean() > 0.99


def test_multipart_field_image_is_accepted(client, jpeg):
    reply = client.post("/segment", files={"image": ("photo.jpg", jpeg, "image/jpeg")})
    assert reply.status_code == 200
    assert np.array_equal(class_ids(reply.content), PHOTO_MASK)


def test_model_and_version_select_who_answers(make_gateway, serving, jpeg):
    serving.publish("shapes", 2)
    serving.publish("road", 5, name="road")
    client = make_gateway(models=("shapes", "road"), default_model="road")

    def answered(**query):
        reply = client.post("/segment", params=query, content=jpeg)
        return reply.headers["X-Model-Name"], reply.headers["X-Model-Version"]

    assert answered() == ("road", "5")
    assert answered(model="shapes") == ("shapes", "2")
    assert answered(model="shapes", version=1) == ("shapes", "1")


def test_size_model_returns_the_mask_at_input_size(client, jpeg, card):
    reply = client.post("/segment?size=model", content=jpeg)
    assert class_ids(reply.content).shape == (card.input_height, card.input_width)


@pytest.mark.parametrize("wanted", ["car,tree", "1,2", "CAR, 2"])
def test_classes_keeps_some_and_ignores_the_rest(client, jpeg, wanted):
    mask = class_ids(client.post("/segment", params={"classes": wanted}, content=jpeg).content)
    assert np.array_equal(mask, np.where(np.isin(PHOTO_MASK, (1, 2)), PHOTO_MASK, 255))


@pytest.mark.parametrize(("at_least", "kept"), [(0, (0, 1, 2, 3)), (0.5, (1, 2, 3)), (0.9, ())])
def test_min_confidence_ignores_less_confident_pixels(client, jpeg, at_least, kept):
    mask = class_ids(client.post(f"/segment?min_confidence={at_least}", content=jpeg).content)
    assert np.array_equal(mask, np.where(np.isin(PHOTO_MASK, kept), PHOTO_MASK, 255))


@pytest.mark.parametrize("query", ["", "&format=png", "&format=jpeg", "&format=webp"])
def test_color_has_the_classes_colours(client, jpeg, card, query):
    reply = client.post(f"/segment?output=color{query}", content=jpeg)
    assert reply.headers["content-type"] == f"image/{query.partition('format=')[2] or 'png'}"
    image = np.array(Image.open(io.BytesIO(reply.content)).convert("RGB")).astype(int)
    for c in card.classes:
        assert np.abs(np.median(image[c.id == PHOTO_MASK], 0) - c.color).max() <= 2


def test_color_as_webp_is_lossless(client, jpeg, card):
    reply = client.post("/segment?output=color&format=webp", content=jpeg)
    colours = np.array([c.color for c in card.classes], np.uint8)
    assert np.array_equal(Image.open(io.BytesIO(reply.content)).convert("RGB"), colours[PHOTO_MASK])


@pytest.mark.parametrize("query", ["", "&format=png", "&format=jpeg", "&format=webp"])
def test_overlay_has_the_requested_format(client, jpeg, query):
    reply = client.post(f"/segment?output=overlay{query}", content=jpeg)
    assert reply.headers["content-type"] == f"image/{query.partition('format=')[2] or 'jpeg'}"
    assert Image.open(io.BytesIO(reply.content)).size == (128, 96)


@pytest.mark.parametrize("alpha", [0, 0.25, 1])
def test_overlay_blends_classes_and_leaves_background_and_ignored_pixels(client, photo, card, alpha):
    body = encode(photo, "PNG")
    query = {"output": "overlay", "format": "png", "alpha": alpha, "classes": "background,car"}
    reply = client.post("/segment", params=query, content=body)
    image = np.array(Image.open(io.BytesIO(reply.content)).convert("RGB")).astype(int)
    car = PHOTO_MASK == 1
    expected = photo[0, 0] * (1 - alpha) + np.array(card.classes[1].color) * alpha
    assert np.abs(image[car] - expected).max() <= 1
    assert np.array_equal(image[~car], photo[~car])


def test_json_describes_every_class_present(client, jpeg):
    reply = client.post("/segment?output=json", content=jpeg)
    assert reply.headers["content-type"] == "application/json"
    found = reply.json()
    assert (found["model"], found["version"], found["width"], found["height"]) == ("shapes", 1, 128, 96)
    assert [c["name"] for c in found["classes"]] == ["background", "car", "tree", "fußgänger"]
    car = found["classes"][1]
    assert (car["id"], car["pixels"], car["area"]) == (1, 48 * 64, 0.25)
    assert car["bounding_box"] == [0, 0, 64, 48]

    painted = np.full(found["width"] * found["height"], found["ignore_id"], np.uint8)
    for c in found["classes"]:
        for start, length in zip(c["rle"][::2], c["rle"][1::2], strict=True):
            painted[start : start + length] = c["id"]
    assert np.array_equal(painted.reshape(96, 128), PHOTO_MASK)


@pytest.mark.parametrize(
    ("query", "car"),
    [
        ("", [0, 4, 8, 4]),
        ("&rle=runs", [0, 4, 8, 4]),
        ("&rle=coco", {"size": [4, 8], "counts": "02200000`0"}),
        ("&rle=cvat", [0, 8, 0, 0, 3, 1]),
    ],
)
def test_rle_selects_the_encoding_of_pixels(client, small_photo, query, car):
    found = client.post(f"/segment?output=json&classes=car{query}", content=small_photo).json()
    assert [c["rle"] for c in found["classes"]] == [car]
    assert "polygons" not in found["classes"][0]


def test_rle_of_label_studio_is_a_list_of_bytes(client, small_photo):
    (car,) = client.post("/segment?output=json&classes=car&rle=labelstudio", content=small_photo).json()["classes"]
    assert all(0 <= value < 256 for value in car["rle"])
    assert int.from_bytes(bytes(car["rle"][:4])) == 4 * 8 * 4


def test_polygons_follow_pixel_edges(client, small_photo):
    found = client.post("/segment?output=json&polygons=0&classes=tree", content=small_photo).json()
    assert found["classes"][0]["polygons"] == [[[[4, 0], [8, 0], [8, 2], [4, 2]]]]


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_image_too_long_for_the_format_is_422_without_inference(client, serving, kind):
    body = encode(np.zeros((1, 70_000, 3), np.uint8), "PNG")
    reply = client.post(f"/segment?output=overlay&format={kind}", content=body)
    assert reply.status_code == 422
    assert "70000x1; use format=png, or size=model" in reply.json()["error"]["message"]
    assert not serving.inferences
    assert client.post("/segment?output=overlay&format=png", content=body).status_code == 200
    assert client.post(f"/segment?output=overlay&format={kind}&size=model", content=body).status_code == 200


@pytest.mark.parametrize(
    ("query", "match"),
    [
        ("form=masks", "form=masks"),
        ("output=mask&format=webp", "no palette"),
        ("output=mask&format=jpeg", "blurs"),
        ("output=color&format=gif", "format=gif"),
        ("alpha=0.5", "alpha has no effect on form=mask; use form=overlay"),
        ("form=overlay&rle=coco", "rle has no effect on form=overlay; use form=json"),
        ("polygons=1", "use form=json"),
        ("output=json&rle=lzw", "rle=lzw"),
        ("output=json&polygons=-1", "polygons=-1"),
        ("output=json&polygons=inf", "polygons=inf"),
        ("min_confidence=80", "min_confidence=80"),
        ("min_confidence=nan", "min_confidence"),
        ("version=1&label=stable", "both given"),
        ("label=", "label"),
        ("model=", "model"),
        ("size=model&size=original", "size is given 2 times"),
        ("output=json&format=png", "leave format out"),
        ("alpha=1.5", "alpha"),
        ("alpha=much", "alpha"),
        ("size=huge", "size"),
        ("version=0", "version"),
        ("version=newest", "version"),
        ("version=9223372036854775808", "version"),
        ("alpha=nan", "alpha"),
        ("classes=carr", "did you mean 'car'"),
        ("classes=,", "classes is empty"),
        ("fomr=mask", "did you mean 'form'"),
    ],
)
def test_invalid_parameter_is_422_and_named(client, jpeg, query, match):
    reply = client.post(f"/segment?{query}", content=jpeg)
    assert reply.status_code == 422
    error = reply.json()["error"]
    assert error["code"] == "invalid_parameter"
    assert match in error["message"]


def test_request_with_unknown_classes_is_refused_without_inference(client, serving, jpeg):
    client.post("/segment?classes=boat", content=jpeg)
    assert not serving.inferences


@pytest.mark.parametrize("query", ["form=json", "output=json", "form=json&output=json"])
def test_output_is_accepted_as_form(client, jpeg, query):
    reply = client.post(f"/segment?{query}", content=jpeg)
    assert reply.headers["content-type"] == "application/json"


def test_form_and_output_that_differ_are_422(client, jpeg):
    error = client.post("/segment?form=mask&output=json", content=jpeg).json()["error"]
    assert (error["code"], error["detail"]) == ("invalid_parameter", {"parameter": "output"})
    assert "form=mask and output=json" in error["message"]


@pytest.mark.parametrize("path", ["/segment", "/segment/batch"])
def test_output_is_deprecated_in_the_api_reference(client, path):
    parameters = client.get("/openapi.json").json()["paths"][path]["post"]["parameters"]
    deprecated = {parameter["name"]: parameter.get("deprecated", False) for parameter in parameters}
    assert deprecated.pop("output")
    assert "form" in deprecated
    assert not any(deprecated.values())

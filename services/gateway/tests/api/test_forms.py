"""Every form that is documented can be written, and only those."""

from typing import get_args

from gateway.api.forms import FORMS, Form, ImageFormat, reply_content
from gateway.api.parameters import SegmentParameters
from gateway.results.outputs import _ENCODERS


def test_every_form_is_declared_and_has_an_encoder():
    assert set(FORMS) == set(_ENCODERS) == set(get_args(Form))


def test_options_are_parameters_and_refused_formats_have_a_reason():
    for spec in FORMS.values():
        assert set(spec.options) <= set(SegmentParameters.model_fields)
        if spec.formats:
            assert {*spec.formats, *spec.refusals} == set(get_args(ImageFormat))


def test_form_that_is_no_image_has_media_type_and_extension():
    for spec in FORMS.values():
        assert bool(spec.formats) != bool(spec.media_type and spec.extension)


def test_every_media_type_is_documented():
    assert list(reply_content()) == ["image/png", "image/jpeg", "image/webp", "application/json"]

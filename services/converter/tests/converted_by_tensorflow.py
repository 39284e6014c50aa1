"""``python converted_by_tensorflow.py …``: a conversion, with its options, without a GPU.

All of it but TensorRT, in whose place TensorFlow runs the rewritten graph; its report is printed.
"""

import sys

import tensorflow as tf

from converter import pipeline
from converter.arguments import parse
from converter.targets.tf_trt.conversion import Converted  # TF-TRT's names are where 2.6.2 has them
from converter.targets.tf_trt.engines import EngineSummary
from converter.targets.tf_trt.runtime import Runtime


def build(options, interface, rewritten, scratch, calibration):
    function = tf.saved_model.load(str(rewritten)).signatures["serving_default"]
    return Converted(lambda images: function(images), {}, EngineSummary([], {}))


print(pipeline.run(parse(sys.argv[1:]), Runtime(tf.__version__, "7.2.2"), build).report)

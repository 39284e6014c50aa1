"""``python convert_with_tensorflow.py MODEL …``: a conversion without a GPU that prints its report.

TensorFlow runs the rewritten graph in place of TensorRT.
"""

import sys

import tensorflow as tf

from converter import pipeline
from converter.arguments import parse
from converter.targets.tf_trt.conversion import Converted  # imports TF-TRT, as in 2.6.2
from converter.targets.tf_trt.engines import EngineSummary
from converter.targets.tf_trt.runtime import Runtime
from converter.targets.tf_trt.target import TfTrt


def build(options, interface, rewritten, scratch, calibration):
    function = tf.saved_model.load(str(rewritten)).signatures["serving_default"]
    return Converted(lambda images: function(images), {}, EngineSummary([], {}))


print(pipeline.run(parse(sys.argv[1:]), TfTrt(Runtime(tf.__version__, "7.2.2"), build)).report)

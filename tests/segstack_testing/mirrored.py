"""``python mirrored.py RECIPE RUN``: a training of ``tiny`` on two logical CPUs under MirroredStrategy."""

import runpy
import sys
from pathlib import Path

import tensorflow as tf

from trainer.recipe import load_recipe
from trainer.training.distribution import Distribution
from trainer.training.loop import train

runpy.run_path(str(Path(__file__).with_name("tiny.py")))
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
devices = Distribution(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
train(load_recipe(Path(sys.argv[1]), sys.argv[3:]), Path(sys.argv[2]), devices)

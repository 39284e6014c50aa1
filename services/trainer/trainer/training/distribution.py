"""Where a training runs: on one device, on every GPU of a machine, or on several machines.

The loop is the same for all: a batch is divided among replicas, one a device, whose gradients, counts of valid pixels
and moments of batch normalisation are summed. A worker is a process with its own replicas; the first one is the chief,
the only one that writes the run folder.
"""

import json
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trainer.errors import UserError
from trainer.input.sampling import Shard


class Distribution:
    """A strategy of ``tf.distribute``, and what its workers exchange outside of steps."""

    def __init__(self, strategy: tf.distribute.Strategy | None = None) -> None:
        self.strategy = strategy or tf.distribute.get_strategy()
        self.replicas: int = self.strategy.num_replicas_in_sync
        self.shard = _shard(self.strategy.cluster_resolver)
        self.local_replicas = self.replicas // self.shard.count

    @property
    def is_chief(self) -> bool:
        """Whether this worker writes the run folder and prints messages."""
        return self.shard.index == 0

    @property
    def is_alone(self) -> bool:
        """Whether there is no other worker."""
        return self.shard.count == 1

    def check_batch_size(self, batch_size: int) -> None:
        """Refuse a batch that replicas cannot divide.

        Raises:
            UserError: some would get more examples than others.
        """
        if batch_size % self.replicas:
            raise UserError(
                f"batches of {batch_size} cannot be divided among {self.replicas} devices: set data.batch_size to a "
                f"multiple of {self.replicas}"
            )

    def split(self, batch: tf.Tensor) -> tf.distribute.DistributedValues:
        """This worker's batch [B, ...], B a multiple of its replicas, one slice for each."""
        slices = tf.split(batch, self.local_replicas) if self.local_replicas > 1 else [batch]
        return self.strategy.experimental_distribute_values_from_function(lambda context: slices[self._local(context)])

    def distribute(self, batches: tf.data.Dataset, rows: int) -> tf.data.Dataset:
        """This worker's batches of ``rows`` examples, each element divided among its replicas."""
        if self.local_replicas == 1 and self.is_alone:
            return batches
        return self.strategy.distribute_datasets_from_function(lambda _: batches.rebatch(rows // self.local_replicas))

    def any(self, flag: bool) -> bool:
        """Whether ``flag`` is set on any worker; every worker must call this at the same step."""
        return bool(self.sum(np.array(flag, np.int32)) > 0)

    def sum(self, array: NDArray) -> NDArray:
        """The sum over the workers; every worker must call this at the same step."""
        if self.is_alone:
            return array
        mine = tf.constant(array)
        nothing = tf.zeros_like(mine)
        values = self.strategy.experimental_distribute_values_from_function(
            lambda context: mine if self._local(context) == 0 else nothing
        )
        return np.asarray(self.strategy.reduce(tf.distribute.ReduceOp.SUM, values, axis=None))

    def from_chief(self, arrays: Sequence[NDArray]) -> list[NDArray]:
        """The chief's arrays, on every worker; the others' give the shapes and dtypes."""
        if self.is_alone:
            return list(arrays)
        words = [array.view(np.int32) if array.dtype == np.uint32 else array for array in arrays]  # the seeds' dtype
        sums = [self.sum(array if self.is_chief else np.zeros_like(array)) for array in words]
        return [total.view(array.dtype) for total, array in zip(sums, arrays, strict=True)]

    def text_from_chief(self, text: str) -> str:
        """The chief's ``text``, on every worker."""
        if self.is_alone:
            return text
        content = np.frombuffer(text.encode(), np.uint8).astype(np.int32)
        (length,) = self.from_chief([np.array([len(content)], np.int64)])
        (content,) = self.from_chief([content if self.is_chief else np.zeros(length, np.int32)])
        return content.astype(np.uint8).tobytes().decode()

    def __str__(self) -> str:
        gpus = tf.config.get_visible_devices("GPU")
        names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
        here = ", ".join(
            f"{names.count(name)} x {name}" if names.count(name) > 1 else name for name in dict.fromkeys(names)
        )
        return (here or "the CPU") + ("" if self.is_alone else f" and on {self.shard.count - 1} more workers")

    def _local(self, context: tf.distribute.experimental.ValueContext) -> int:
        return context.replica_id_in_sync_group % self.local_replicas


def create_distribution(gpu: int | None = None, multi_gpu: bool = False) -> Distribution:
    """Decide where to train, before TensorFlow has touched a device.

    Args:
        gpu: the one to use; without it and ``multi_gpu``, the first, or the CPU where there is none.
        multi_gpu: use every GPU of this machine.

    Raises:
        UserError: there is no such GPU, or ``TF_CONFIG``, which names several machines, cannot be used.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if gpu is not None and not 0 <= gpu < len(gpus):
        there = f"{len(gpus)} found, numbered from 0" if gpus else "TensorFlow finds none"
        raise UserError(f"--gpu {gpu}: no such GPU on this machine: {there}")
    if multi_gpu and not gpus:
        raise UserError("--multi-gpu: TensorFlow finds no GPU on this machine: leave the option out")
    several_machines = bool(os.environ.get("TF_CONFIG"))
    if gpus and not multi_gpu and (gpu is not None or not several_machines):
        gpus = [gpus[gpu or 0]]
        tf.config.set_visible_devices(gpus, "GPU")
    for device in gpus:
        tf.config.experimental.set_memory_growth(device, True)
    if several_machines:
        return _several_machines()
    return Distribution(tf.distribute.MirroredStrategy() if multi_gpu else None)


def _several_machines() -> Distribution:
    text = os.environ["TF_CONFIG"]
    try:
        content = json.loads(text)
        kind, index = content["task"]["type"], int(content["task"]["index"])
        addresses = content["cluster"][kind]
        known = {"chief", "worker"} >= set(content["cluster"])
        if not known or not 0 <= index < len(addresses):
            raise ValueError(f"the task {kind} {index} is not among the cluster's chief and workers")
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"TF_CONFIG={text}: {error}; expected for instance "
            '{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 0}}'
        ) from None
    return Distribution(tf.distribute.MultiWorkerMirroredStrategy())


def _shard(resolver: tf.distribute.cluster_resolver.ClusterResolver | None) -> Shard:
    if resolver is None or resolver.task_type is None:
        return Shard()
    chiefs, workers = (len(resolver.cluster_spec().as_dict().get(kind, [])) for kind in ("chief", "worker"))
    return Shard(resolver.task_id + (chiefs if resolver.task_type == "worker" else 0), chiefs + workers)

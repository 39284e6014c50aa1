"""The configuration of the real TensorFlow Serving image, and how both images start."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from segstack_testing.waiting import scaled

SERVICE = Path(__file__).parents[1]

# The flags of tensorflow_model_server 2.6.2 that are used here; any other makes it print its usage.
KNOWN_FLAGS = {
    "port",
    "rest_api_port",
    "monitoring_config_file",
    "model_config_file",
    "model_config_file_poll_wait_seconds",
    "file_system_poll_wait_seconds",
    "allow_version_labels_for_unavailable_models",
    "num_load_threads",
    "num_unload_threads",
    "max_num_load_retries",
    "load_retry_interval_micros",
    "enable_model_warmup",
    "enable_profiler",
    "enable_batching",
    "batching_parameters_file",
}


@pytest.fixture
def entrypoint(tmp_path):
    """Start entrypoint.sh with a server that prints its process id and its arguments."""
    binary = tmp_path / "bin" / "tensorflow_model_server"
    binary.parent.mkdir()
    binary.write_text('#!/bin/sh\necho "pid $$"\nprintf "%s\\n" "$@"\n')
    binary.chmod(0o755)
    started = []

    def start(*arguments, **environment):
        process = subprocess.Popen(
            [SERVICE / "entrypoint.sh", *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env={
                "PATH": f"{binary.parent}:{os.environ['PATH']}",
                "MODEL_CONFIG_FILE": str(tmp_path / "models.config"),
                **environment,
            },
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_server_is_started_with_known_flags(entrypoint, tmp_path):
    (tmp_path / "models.config").touch()
    process = entrypoint("--tensorflow_session_parallelism=2")
    pid, *arguments = process.communicate(timeout=scaled(10))[0].splitlines()
    assert pid == f"pid {process.pid}"
    assert f"--model_config_file={tmp_path / 'models.config'}" in arguments
    assert arguments.pop() == "--tensorflow_session_parallelism=2"
    assert {re.match(r"--(\w+)=", argument).group(1) for argument in arguments} <= KNOWN_FLAGS
    assert "--enable_batching=true" not in arguments


def test_batching_is_optional(entrypoint, tmp_path):
    (tmp_path / "models.config").touch()
    output = entrypoint(ENABLE_BATCHING="true").communicate(timeout=scaled(10))[0]
    assert "--enable_batching=true\n--batching_parameters_file=/etc/serving/batching.config" in output


def test_wait_for_the_config_is_printed_once(entrypoint, tmp_path):
    process = entrypoint()
    assert process.stdout.readline() == f"waiting for {tmp_path / 'models.config'}: publish a first model\n"
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1.5)
    (tmp_path / "models.config").touch()
    assert process.communicate(timeout=scaled(10))[0].startswith(f"pid {process.pid}\n--port=8500\n")


def test_repository_without_models_gpu_config_is_served(entrypoint, tmp_path):
    (tmp_path / "models.config").touch()
    gpu_config = tmp_path / "models.gpu.config"
    output = entrypoint(MODEL_CONFIG_FILE=str(gpu_config)).communicate(timeout=scaled(10))[0]
    assert output.startswith(f"no {gpu_config} yet: serving with models.config")
    assert f"--model_config_file={tmp_path / 'models.config'}\n" in output
    gpu_config.touch()
    output = entrypoint(MODEL_CONFIG_FILE=str(gpu_config)).communicate(timeout=scaled(10))[0]
    assert output.startswith("pid ")
    assert f"--model_config_file={gpu_config}\n" in output


def test_models_config_of_an_older_trainer_ends_the_wait(entrypoint, tmp_path):
    gpu_config = tmp_path / "models.gpu.config"
    process = entrypoint(MODEL_CONFIG_FILE=str(gpu_config))
    assert process.stdout.readline() == f"waiting for {gpu_config}: publish a first model\n"
    (tmp_path / "models.config").touch()
    output = process.communicate(timeout=scaled(10))[0]
    assert output.startswith(f"no {gpu_config} yet: serving with models.config")
    assert f"--model_config_file={tmp_path / 'models.config'}\n" in output


def test_stops_at_once_while_waiting(entrypoint):
    process = entrypoint()
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait(2) == 0


def test_every_flag_has_the_reason_for_its_value_above_it():
    groups = (SERVICE / "entrypoint.sh").read_text().partition("flags=(\n")[2].partition("\n)")[0].split("\n\n")
    assert len(groups) > 5
    for group in groups:
        assert group.strip().startswith("# "), group


def test_the_image_loads_converted_models_shares_the_gpu_and_installs_nothing():
    text = (SERVICE / "Dockerfile").read_text()
    path = "/usr/local/cuda-11.1/targets/x86_64-linux/lib:/usr/local/cuda-11.1/lib64"
    assert f"ENV LD_LIBRARY_PATH={path}${{LD_LIBRARY_PATH:+:" in text
    assert "ENV TF_FORCE_GPU_ALLOW_GROWTH=true" in text
    # NVIDIA's package key was rotated: apt-get update would fail until the image's old sources are deleted.
    assert "apt-get" not in text


def test_both_images_are_healthy_when_the_port_is_open():
    for name in ("Dockerfile", "Dockerfile.embedded"):
        assert 'CMD ["bash", "-c", "</dev/tcp/127.0.0.1/8500"]' in (SERVICE / name).read_text()


def test_embedded_image_starts_with_known_flags():
    from serving import flags

    text = (SERVICE / "Dockerfile.embedded").read_text()
    arguments = re.findall(r'"(--\w+(?:=[^"]*)?)"', text)
    parsed = flags.parse(arguments)
    assert parsed.unknown == ()
    assert parsed.flags.model_config_file == "/models/models.config"
    assert parsed.flags.wait_for_config


def test_batch_sizes_rise_to_the_largest_batch():
    text = (SERVICE / "batching.config").read_text()
    sizes = [int(size) for size in re.findall(r"^allowed_batch_sizes: (\d+)", text, re.MULTILINE)]
    assert sizes == sorted(set(sizes))
    assert f"max_batch_size {{ value: {sizes[-1]} }}" in text

#!/usr/bin/env bash
# Waits for models.config, then becomes tensorflow_model_server. Further arguments are passed on to it.
# MODEL_CONFIG_FILE names another config: models.gpu.config has the converted models too. ENABLE_BATCHING=true turns
# server batching on.
set -euo pipefail

config=${MODEL_CONFIG_FILE:-/models/models.config}

# Process 1 has no default signal handlers: without this a stop during the wait takes until SIGKILL.
trap 'exit 0' TERM INT

# A missing config ends the server for good, and before the first model is published there is none. A trainer or
# converter from before there were two files writes models.config alone; publishing now writes models.gpu.config first.
older=$config
[[ $config == */models.gpu.config ]] && older=${config%/*}/models.config
if [[ ! -e $config && ! -e $older ]]; then
  echo "waiting for $config: publish a first model"
  until [[ -e $config || -e $older ]]; do
    sleep 1 &
    wait $!
  done
fi
if [[ ! -e $config ]]; then
  echo "no $config yet: serving with models.config until the next start after a publish"
  config=$older
fi

flags=(
  # Where the gateway, the health check and every example look for it.
  --port=8500

  # The REST port carries the Prometheus metrics. Predictions go over gRPC: JSON would turn a mask into megabytes.
  --rest_api_port=8501
  --monitoring_config_file=/etc/serving/monitoring.config

  # Publishing, relabelling and rolling back are a new models.config or a new version folder: both show in seconds,
  # and a look at either is a few system calls.
  --model_config_file="$config"
  --model_config_file_poll_wait_seconds=2
  --file_system_poll_wait_seconds=1

  # A version and the label that points at it may be published in one go; without this the server refuses to start
  # on a label whose version has not loaded yet.
  --allow_version_labels_for_unavailable_models=true

  # A failing load blocks its thread while it is retried, by default for five minutes (5 times, 60 s apart), and with
  # it every other model. Two threads and one retry after 5 s: a file system's hiccup is forgiven, nothing waits long.
  --num_load_threads=2
  --max_num_load_retries=1
  --load_retry_interval_micros=5000000

  # An unload waits for the calls that still use the version, by default in the thread that manages every model: one
  # slow call there, and nothing new is loaded until it ends.
  --num_unload_threads=1

  # Runs assets.extra/tf_serving_warmup_requests before a version serves. It is the gate that stops a damaged version,
  # and it builds TensorRT contexts and picks cuDNN algorithms before the first person waits for them.
  --enable_model_warmup=true

  # On by default, and then anyone who reaches the port can trace the server.
  --enable_profiler=false
)

# Off unless asked for: one live stream sends one image at a time, gains nothing and pays batch_timeout_micros.
if [[ ${ENABLE_BATCHING:-false} == true ]]; then
  flags+=(--enable_batching=true --batching_parameters_file=/etc/serving/batching.config)
fi

exec tensorflow_model_server "${flags[@]}" "$@"

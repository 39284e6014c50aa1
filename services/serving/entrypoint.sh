#!/usr/bin/env bash
# Waits for models.config, then runs tensorflow_model_server in its place, with further arguments passed on.
# MODEL_CONFIG_FILE names another config: models.gpu.config lists the converted models too. ENABLE_BATCHING=true turns
# server-side batching on.
set -euo pipefail

config=${MODEL_CONFIG_FILE:-/models/models.config}

# Process 1 has no default signal handlers: without this, stopping during the wait takes until SIGKILL.
trap 'exit 0' TERM INT

# The server exits if its config is missing, and before the first model is published there is none. An older trainer or
# converter writes only models.config; today's publishing writes models.gpu.config first.
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
  # The port that the gateway, the health check and every example use.
  --port=8500

  # The REST port serves the Prometheus metrics. Predictions use gRPC: as JSON, a mask would be megabytes.
  --rest_api_port=8501
  --monitoring_config_file=/etc/serving/monitoring.config

  # Publishing, labelling and rolling back change models.config or add a version folder: both are seen within seconds,
  # and each check is a few system calls.
  --model_config_file="$config"
  --model_config_file_poll_wait_seconds=2
  --file_system_poll_wait_seconds=1

  # A version and its label may be published together; without this the server refuses to start on a label whose
  # version has not loaded yet.
  --allow_version_labels_for_unavailable_models=true

  # A failing load blocks its thread, and with it every other model, while it is retried: by default for five minutes
  # (5 times, 60 s apart). Two threads and one retry after 5 s survive a file system's hiccup without a long wait.
  --num_load_threads=2
  --max_num_load_retries=1
  --load_retry_interval_micros=5000000

  # An unload waits for the calls that still use the version, by default in the thread that manages every model, where
  # one slow call would delay every load.
  --num_unload_threads=1

  # Runs assets.extra/tf_serving_warmup_requests before a version is served. This stops damaged versions, and builds
  # TensorRT contexts and selects cuDNN algorithms before the first client's request.
  --enable_model_warmup=true

  # On by default, and then any client of the port can trace the server.
  --enable_profiler=false
)

# Off by default: a single live stream sends one image at a time, gains nothing and waits batch_timeout_micros.
if [[ ${ENABLE_BATCHING:-false} == true ]]; then
  flags+=(--enable_batching=true --batching_parameters_file=/etc/serving/batching.config)
fi

exec tensorflow_model_server "${flags[@]}" "$@"

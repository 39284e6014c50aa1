"""``python -m gateway``: serve HTTP until told to stop."""

import argparse
import logging
import os
import sys

from gateway.settings import SettingsError, load_settings, variables


def main() -> int:
    """Read the settings, then serve; exit status 2 for a setting that cannot be used."""
    argparse.ArgumentParser(
        prog="python -m gateway",
        description="Images in over HTTP, masks or coloured overlays out.",
        epilog=f"Set by environment variables: {', '.join(variables())}. services/gateway/gateway/settings.py says "
        "what each is for.",
    ).parse_args()
    try:
        settings = load_settings()
    except SettingsError as error:
        print(f"gateway: {error}", file=sys.stderr)
        return 2
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.INFO)
    # Multipart that cannot be read is the caller's to know, and the caller is told.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    # OpenCV reads this when it is loaded, hence the late imports: a second lock on the door that
    # gateway.images closes before decoding.
    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(settings.max_pixels)
    import uvicorn

    from gateway.app import create_app

    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        http="httptools",
        loop="uvloop",
        server_header=False,
        access_log=False,  # /metrics counts; at 30 frames a second a line each would drown the rest
        timeout_graceful_shutdown=settings.deadline_ms // 1000 + 1,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Runs Chladni on this machine until Ctrl-C: four services and a web page, on loopback only.

    python deploy/local/serve.py

The page is at http://127.0.0.1:8000/ and the gRPC gateway at 127.0.0.1:50050. Every setting of every
service can be changed through the environment, such as

    CHLADNI_GATEWAY_HTTP_PORT=8080          the page's port (0 takes any free one)
    CHLADNI_GATEWAY_GRPC_PORT=50060         the gRPC gateway's port
    CHLADNI_IMAGE_GENERATION_MODEL=...      another image model

Each service writes its log to build/logs/. One that ends by itself is started again, which is reported. The
exit status is 0 after Ctrl-C or SIGTERM, and 1 if a service cannot start, or ends again and again.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from chladni_local.cluster import LocalCluster
from chladni_local.errors import ClusterError

_REPOSITORY = Path(__file__).parents[2]


def main() -> int:
    """Run the program; returns its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--logs",
        type=Path,
        default=_REPOSITORY / "build" / "logs",
        metavar="FOLDER",
        help="folder for the logs (default: build/logs)",
    )
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        _serve(arguments.logs)
    except ClusterError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.")
    return 0


def _serve(log_folder: Path) -> None:
    print("Starting the services ...", flush=True)
    with LocalCluster(folder=log_folder, on_ready=_print_ready) as cluster:
        print(
            f"\nChladni is ready.\n"
            f"  page   {cluster.page_url}\n"
            f"  gRPC   {cluster.target('gateway')}\n"
            f"  logs   {log_folder}\n\n"
            f"Press Ctrl-C to stop.",
            flush=True,
        )
        while True:
            cluster.restart_ended(_print_restart)
            time.sleep(0.5)


def _print_ready(name: str, seconds: float) -> None:
    print(f"  {name:<18} ready after {seconds:.1f} s", flush=True)


def _print_restart(how: str) -> None:
    print(f"  {how}", file=sys.stderr, flush=True)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

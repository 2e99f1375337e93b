"""The child process in which the embedded model runs, so that a native crash stays here.

Run as a file, not as a module: it needs nothing of Parlour. Talks with its parent in three ways:
one line of JSON on standard input says what to run, one line of JSON on standard output says where
it listens (or why it cannot), and the end of standard input means: stop.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
import threading
from typing import Any

_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def main() -> None:
    """Read the order, start the server, wait for the end of standard input."""
    order: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    _die_with(order["parent"])
    _stand_back()
    watch = threading.Thread(target=_end_with_input, daemon=True)
    watch.start()  # before the model is loaded: that takes seconds, and the parent may go meanwhile
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever native code prints must not reach the parent as an answer
    try:
        server = _start(order)
    except Exception as error:  # noqa: BLE001 - the parent tells people why
        answers.write(json.dumps({"error": f"{type(error).__name__}: {error}"}) + "\n")
        answers.flush()
        os._exit(1)
    answers.write(json.dumps({"url": server.listening_address}) + "\n")
    answers.flush()
    watch.join()


def _end_with_input() -> None:
    """Wait for the end of standard input, which the parent's death brings on every system."""
    while os.read(0, 4_096):
        pass
    os._exit(0)  # the server's threads have nothing to save, and joining them can take seconds


def _start(order: dict[str, Any]) -> Any:  # Any: xllamacpp has no types
    xllamacpp: Any = importlib.import_module("xllamacpp")  # here: its absence is an answer too
    params = xllamacpp.CommonParams()
    params.model.path = order["model"]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [order["key"]]
    params.n_parallel = order["parallel"]
    params.kv_unified = True  # the context is one pool, not one slice for each request
    params.n_ctx = order["context"]
    params.n_batch = 256  # a cancelled request is noticed between batches: about every 2 s
    params.n_ubatch = 256
    params.n_gpu_layers = 0
    params.cache_ram_mib = order["cache_mb"]  # 8 GB by default
    params.cpuparams.n_threads = order["threads"]
    params.cpuparams_batch.n_threads = order["threads"]
    params.n_threads_http = 4
    params.ui = False
    params.endpoint_slots = False  # it would show prompts
    params.verbosity = 1  # errors
    return xllamacpp.Server(params)


def _die_with(parent: int) -> None:
    """Ask the kernel to end us when the parent dies, even by kill -9 while the model loads."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)


def _stand_back() -> None:
    """Let the parent go first: for the processor, and when memory runs out be the one to go."""
    if hasattr(os, "nice"):
        os.nice(2)  # more starves it beside a compiler or a test run: its threads wait in step
    if sys.platform == "linux":
        try:
            with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
                file.write("500")
        except OSError:
            pass  # some containers forbid it; then the kernel chooses


if __name__ == "__main__":
    main()

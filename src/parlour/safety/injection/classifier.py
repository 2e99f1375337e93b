"""The classifier of the extra `[injection]`: a small ONNX model that comes in the package.

It downloads nothing. 66 ms of CPU a kilobyte were measured, so it is for tool results, documents
and (in parallel with the model) the user's text, always in a thread.
"""

from __future__ import annotations

import threading
from typing import Any

from parlour.errors import ConfigurationError
from parlour.safety.injection.find import Classifier

SCORE_MIN = 0.8  # plain attacks score 0.97 and more, ordinary sentences below 0.1
CHUNK_CHARS = 1_500  # what the model was trained to see at a time
CHUNKS_MAX = 20  # of one text; two seconds of CPU are enough


def load_classifier() -> Classifier:
    """Load it. Raises `ConfigurationError` when the extra is not installed."""
    try:
        from stackone_defender.classifiers import tier2_classifier  # noqa: PLC0415
    except ModuleNotFoundError:
        raise ConfigurationError(
            "`injection.classifier` is on, but the classifier is not installed. "
            "Type: pip install 'parlour[injection]'"
        ) from None
    library: Any = tier2_classifier  # Any: its types are half there
    model = library.create_tier2_classifier()
    model.warmup()
    lock = threading.Lock()  # one text at a time: two would only take each other's core

    def is_attack(text: str) -> bool:
        chunks = [text[at : at + CHUNK_CHARS] for at in range(0, len(text), CHUNK_CHARS)]
        with lock:
            return any(
                not result.skipped and result.score >= SCORE_MIN
                for result in map(model.classify, chunks[:CHUNKS_MAX])
            )

    return is_attack

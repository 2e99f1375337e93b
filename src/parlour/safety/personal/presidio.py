"""Names and places by Microsoft Presidio, for those who want more than patterns (`[presidio]`).

Offline: a blank spaCy pipeline stands in for the language model that Presidio would download, and
the recognisers that ask the network for the list of domain endings are left out; e-mail addresses
and links are ours. Without a language model Presidio has no names of its own: what it adds here are
its pattern recognisers for numbers of further countries, and those you register.
"""

from __future__ import annotations

from typing import Any

from parlour.errors import ConfigurationError
from parlour.safety.personal.find import Found

_SCORE_MIN = 0.4  # Presidio's own mark between "could be" and "is"; context words raise a score
_OURS = {  # its names for what we call otherwise; everything else is a number of some country
    "PERSON": "person",
    "LOCATION": "place",
    "PHONE_NUMBER": "phone",
    "EMAIL_ADDRESS": "",  # ours is as good, and needs no download
    "URL": "",
    "DATE_TIME": "",
    "CREDIT_CARD": "card",
    "IBAN_CODE": "iban",
    "IP_ADDRESS": "ip",
    "CRYPTO": "",
    "NRP": "",
    "MAC_ADDRESS": "",
    "EMAIL": "",
    "UUID": "",
    "AGE": "",
    "ORGANIZATION": "",
    "ID": "",
}
_ASKS_THE_NETWORK = ("EmailRecognizer", "UrlRecognizer")


class Presidio:
    """A `Finder` on Presidio. Made once; `find` is called in threads."""

    def __init__(self, language: str = "en") -> None:
        try:
            # Any: neither library has types for what is used here.
            import spacy  # noqa: PLC0415
            from presidio_analyzer import AnalyzerEngine  # noqa: PLC0415
            from presidio_analyzer.nlp_engine import SpacyNlpEngine  # noqa: PLC0415
        except ModuleNotFoundError:
            raise ConfigurationError(
                "`privacy.presidio` is on, but Presidio is not installed. "
                "Type: pip install 'parlour[presidio]'"
            ) from None
        engine: Any = SpacyNlpEngine(models=[{"lang_code": language, "model_name": "blank"}])
        engine.nlp = {language: spacy.blank(language)}
        self._language = language
        self._analyzer: Any = AnalyzerEngine(nlp_engine=engine, supported_languages=[language])
        for name in _ASKS_THE_NETWORK:
            self._analyzer.registry.remove_recognizer(name)

    def find(self, text: str) -> list[Found]:
        """What Presidio is sure enough of."""
        results: list[Any] = self._analyzer.analyze(
            text=text, language=self._language, score_threshold=_SCORE_MIN
        )
        found: list[Found] = []
        for result in sorted(results, key=lambda r: (-r.score, r.start)):
            kind = _OURS.get(result.entity_type, "national_id")
            if kind:
                rule = str(result.entity_type).lower()
                found.append(Found(kind, int(result.start), int(result.end), rule))
        return found

"""Which links a turn may show, and the filter that turns the others into words.

Grounds are what tools have said in this conversation, the page, the product's own words, the
allow-list of the workspace, and links in earlier answers, which were grounded when they were said.
Not the user's words: a link that somebody was talked into pasting gains nothing by being repeated.
"""

from __future__ import annotations

from collections import Counter

from parlour.chat.orders import LABEL
from parlour.chat.outflow import OutFilter
from parlour.chat.rule_hits import RuleHits
from parlour.chat.running import Running
from parlour.domain import Part, Role, TextPart, ToolOutcome, ToolPart
from parlour.policy import Policies
from parlour.safety.link_filter import LinkFilter, ground
from parlour.safety.links import Grounds, origin_of

_LABELLED = LABEL.partition("(")[0]  # how a result begins that has orders in it


class Grounding:
    """One for the process; what belongs to a turn stands in `Running`."""

    def __init__(
        self, *, policies: Policies, hits: RuleHits, public_url: str = "", own_words: str = ""
    ) -> None:
        self._policies = policies
        self._hits = hits
        self._public_url = public_url
        self._own_words = own_words

    def filters(self, running: Running) -> tuple[OutFilter, OutFilter]:
        """The filters of a turn's answer and of its reasoning."""
        grounds = running.grounds = self._grounds(running)
        found: Counter[str] = running.caught

        def hit() -> None:
            found["links"] += 1

        return LinkFilter(grounds, hit), LinkFilter(grounds, hit)

    def result(self, running: Running, said: ToolOutcome, judged: ToolOutcome) -> ToolOutcome:
        """A tool has answered: its links may be shown, unless it was found to give orders."""
        if judged is said and running.grounds is not None:
            running.grounds.add(said.text)
        return judged

    def words(self, running: Running, text: str) -> str:
        """A line from a tool's server (a title), with its links grounded."""
        return ground(text, running.grounds or Grounds())

    def end(self, running: Running) -> None:
        """The turn is over: count what the rules have caught in it."""
        for rule, count in running.caught.items():
            self._hits.hit(running.principal, rule, count=count, turn=running.turn)

    def _grounds(self, running: Running) -> Grounds:
        page = running.page
        origins = {origin_of(self._public_url), *map(origin_of, page.urls if page else ())}
        policy = self._policies.of(running.principal.workspace).links
        grounds = Grounds(allow=policy.allow, origins=origins)
        grounds.add(self._own_words)
        if page is not None:
            grounds.add(list(page.urls))
        # The stateless face brings its own history, in which anything can stand as an answer.
        ours = running.ask.history is None
        for message in running.history:
            _add_parts(grounds, message.parts, ours=ours and message.role is Role.ASSISTANT)
        # A turn that goes on with what another one, or another process, has begun.
        _add_parts(grounds, running.sink.parts(), ours=True)
        return grounds


def _add_parts(grounds: Grounds, parts: tuple[Part, ...], *, ours: bool) -> None:
    for part in parts:
        if isinstance(part, TextPart | ToolPart):
            if not ours:
                grounds.add_emails(part.text)
            elif not part.text.startswith(_LABELLED):
                grounds.add(part.text)

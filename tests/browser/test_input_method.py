"""Writing with an input method: the Enter that ends a composition is not the one that sends."""

from __future__ import annotations

from playwright.async_api import CDPSession, Locator, expect

from tests.browser.desk import Desk

PROCESS = 229  # the key code of every key that the input method takes for itself


class Writer:
    """A person with a Japanese input method, at the level of the browser's own events."""

    def __init__(self, session: CDPSession) -> None:
        self._session = session

    async def key(self, name: str, code: int = PROCESS) -> None:
        """Press a key; by default one that goes to the input method."""
        pressed = {"key": name, "code": name, "windowsVirtualKeyCode": code}
        await self._session.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **pressed})
        await self._session.send("Input.dispatchKeyEvent", {"type": "keyUp", **pressed})

    async def compose(self, *steps: str) -> None:
        """Write what is not yet decided, step by step."""
        for text in steps:
            await self._session.send(
                "Input.imeSetComposition",
                {"text": text, "selectionStart": len(text), "selectionEnd": len(text)},
            )
            await self.key("KeyN")

    async def decide(self, text: str) -> None:
        """End the composition with this text."""
        await self._session.send("Input.insertText", {"text": text})

    async def compose_and_decide(self, at: Locator) -> None:
        """A word, decided with Enter; both orders of events that browsers have."""
        await at.focus()
        await self.compose("に", "にほ", "にほん")
        await expect(at).to_have_value("にほん")
        await self.key("Enter")  # Chromium, Firefox: the key first, still within the composition
        await self.decide("日本")
        await expect(at).to_have_value("日本")
        await self.compose("ご")
        await self.decide("語")
        await self.key("Enter")  # Safari: the composition has ended before its key arrives
        await expect(at).to_have_value("日本語")


HEARD = """
window.ended = 0;
addEventListener('compositionend', () => { ended += 1; }, {capture: true});
"""


async def writer(desk: Desk) -> Writer:
    await desk.page.evaluate(HEARD)
    return Writer(await desk.context.new_cdp_session(desk.page))


async def test_enter_that_ends_a_composition_sends_nothing_and_the_next_one_sends(desk: Desk):
    hand = await writer(desk)
    await hand.compose_and_decide(desk.box)
    assert await desk.page.evaluate("ended") == 2, "these were real compositions"
    await expect(desk.page.locator("article")).to_have_count(0)
    await desk.page.keyboard.press("Enter")
    await expect(desk.page.locator("article").first).to_contain_text("日本語")
    await desk.idle()
    await expect(desk.page.locator("article")).to_have_count(2)


async def test_enter_that_ends_a_composition_ends_no_editing_and_no_renaming(desk: Desk):
    await desk.ask_and_wait("hello")
    hand = await writer(desk)
    await desk.box.press("ArrowUp")
    editor = desk.page.get_by_label("Edit your message")
    await editor.fill("")
    await hand.compose_and_decide(editor)
    await expect(editor).to_be_visible()
    await editor.press("Escape")

    row = desk.page.locator("nav li")
    await row.hover()
    await row.get_by_role("button").click()
    await desk.page.get_by_role("menuitem", name="Rename").click()
    name = desk.page.get_by_label("Name of the conversation")
    await name.fill("")
    await hand.compose_and_decide(name)
    await desk.page.keyboard.press("Enter")
    await expect(row).to_contain_text("日本語")

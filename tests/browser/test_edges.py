"""The edges of controls at rest: enough contrast to be seen, with whatever they lie on."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenDesk
from tests.browser.desk import Desk, until
from tests.browser.scripts import SHOP

CONTRAST_MIN = 3  # WCAG 1.4.11

# Each control with an edge of its own: its name and the lower of two contrasts, that of the edge
# with what it encloses and with what lies around it. What is switched off may be faint.
EDGES = """
() => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const over = ([r, g, b, a], below) =>
    [r, g, b].map((value, at) => (value * a + below[at] * (255 - a)) / 255);
  const paper = (element) => element === null
    ? [255, 255, 255]
    : over(rgba(getComputedStyle(element).backgroundColor), paper(element.parentElement));
  const light = (color) => {
    const [r, g, b] = color.map((value) => value / 255).map((value) =>
      value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const named = (element) =>
    element.ariaLabel || element.querySelector('textarea')?.ariaLabel || element.textContent.trim();
  const found = {};
  for (const element of document.querySelectorAll('button, a, input, textarea, form')) {
    const style = getComputedStyle(element);
    const edge = rgba(style.borderTopColor);
    const shown = element.checkVisibility({checkOpacity: true, checkVisibilityCSS: true});
    if (!shown || element.disabled || parseFloat(style.borderTopWidth) === 0 || edge[3] === 0)
      continue;
    const inside = paper(element);
    const around = paper(element.parentElement);
    const drawn = over(edge, inside);
    found[named(element)] = Math.min(contrast(drawn, inside), contrast(drawn, around));
  }
  return found;
}
"""


async def edges(desk: Desk, *expected: str) -> None:
    """Every edge in sight can be seen, and the controls that must have one are among them."""
    await desk.page.evaluate("document.activeElement.blur()")
    found: dict[str, float] = {}

    async def there() -> bool:
        found.clear()
        found.update(await desk.page.evaluate(EDGES))
        return all(any(name in known for known in found) for name in expected)

    await until(there, f"edges of {expected}")  # what appears may fade in
    faint = {name: round(value, 2) for name, value in found.items() if value < CONTRAST_MIN}
    assert faint == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_edges_of_controls_can_be_seen(open_desk: OpenDesk, scheme: str):
    window = {"color_scheme": scheme, "reduced_motion": "reduce"}
    async with open_desk(window, mcp=SHOP) as desk:
        desk.expects("ERR_INTERNET_DISCONNECTED")
        await desk.open()
        await edges(desk, "Message", "Search conversations", "What is 17.5 %")
        await desk.ask_and_wait("show the orders")
        await edges(desk, "Message")
        await desk.ask("fail")
        await expect(desk.page.get_by_label("This answer failed")).to_be_visible()
        await edges(desk, "Message", "Try again")
        await desk.page.locator("article").last.hover()

        async def away() -> bool:
            await desk.page.mouse.wheel(0, -2000)  # again where the answer was still settling
            return await desk.button("Jump to the latest").is_visible()

        await until(away, "the end out of sight")
        await edges(desk, "Jump to the latest")
        await desk.context.set_offline(True)
        await desk.ask("hello")
        await expect(desk.page.get_by_label("Your message was not sent")).to_be_visible()
        await edges(desk, "Try again")

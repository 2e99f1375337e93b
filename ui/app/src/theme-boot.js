// Runs before the first paint, as its own file because the page allows no inline script.
(() => {
  let choice = "system";
  try {
    choice = localStorage.getItem("parlour.theme") || "system";
  } catch {
    // Storage can be forbidden in frames; the system's choice is good enough.
  }
  const dark =
    choice === "dark" ||
    (choice === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();

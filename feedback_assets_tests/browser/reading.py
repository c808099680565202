"""What a page must be so that all can read and use it, asked of the page itself.

Contrast is that of WCAG 2.2 (1.4.3: 4.5 for text), the size of targets that of 2.5.8 (24 pixels).
"""

FAINT = """
() => {
  const parse = (said) => { const [r, g, b, a = 1] = said.match(/[\\d.]+/g).map(Number); return { rgb: [r, g, b], a }; };
  const linear = (c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  const light = ({ rgb }) => 0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2]);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const found = parse(getComputedStyle(at).backgroundColor);
      if (found.a === 1) return found;
      if (found.a > 0) throw new Error("half-transparent background");
    }
    throw new Error("no background");
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !node.checkVisibility() || node.closest("script, .unseen")) continue;
    const [one, other] = [light(parse(getComputedStyle(node).color)), light(behind(node))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) found.push([walk.currentNode.data.trim(), contrast]);
  }
  return found;
}
"""
"""Visible texts whose contrast is below 4.5, and that."""

SMALL = """
() => [...document.querySelectorAll("button, input, textarea, summary")]
  .filter((one) => one.checkVisibility())
  .filter((one) => Math.min(one.getBoundingClientRect().width, one.getBoundingClientRect().height) < 24)
  .map((one) => one.outerHTML)
"""
"""Visible controls smaller than 24 pixels."""

NAMELESS = """
() => [...document.querySelectorAll("button, input, textarea, summary, meter, progress, dialog, section, [role=region], [role=table], [role=radiogroup]")]
  .filter((one) => one.checkVisibility())
  .filter((one) => {
    const by = (one.getAttribute("aria-labelledby") || "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "");
    const labels = [...(one.labels ?? [])].map((label) => label.textContent);
    const own = one.matches("button, summary") ? one.textContent : "";
    return ![one.getAttribute("aria-label") ?? "", own, ...by, ...labels].some((words) => words.trim());
  })
  .map((one) => one.outerHTML)
"""
"""Visible controls and regions that a screen reader could not name."""

// What a node noted during its run, as text under its widgets. Not part of the workflow.

export function showNotes(node, lines) {
  const text = (lines ?? []).join("\n");
  if (!text && !node.lpdNotes) return;
  if (!node.lpdNotes) {
    const element = document.createElement("div");
    element.className = "lpd-notes";
    Object.assign(element.style, {
      whiteSpace: "pre-wrap", overflow: "auto", fontSize: "11px", lineHeight: "1.35", padding: "4px 6px", borderRadius: "4px",
      background: "var(--comfy-input-bg, #222)", color: "var(--input-text, #ddd)", userSelect: "text",
    });
    node.lpdNotes = element;
    const height = () => (element.textContent ? 48 : 0);
    const widget = node.addDOMWidget("lpd_notes", "lpd_notes", element, { serialize: false, getMinHeight: height, getMaxHeight: height });
    widget.serialize = false; // the workflow holds widgets by position: this one has none
  }
  node.lpdNotes.textContent = text;
  node.lpdNotes.title = text;
  node.setDirtyCanvas?.(true, true);
}

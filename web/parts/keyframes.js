// Boxes set by hand, as the text of the node's widget. Needs no editor.

// "frame, left, top, side" lines; comments and what cannot be read are kept as they are.
export function withKeyframe(text, frame, box) {
  const kept = (text ?? "").split("\n").filter((line) => line.trim() && keyframeOf(line) !== frame);
  if (box) kept.push([frame, ...box.map((value) => Math.round(value * 10) / 10)].join(", "));
  const order = (line) => keyframeOf(line) ?? -1;
  return kept.sort((a, b) => order(a) - order(b)).join("\n");
}

function keyframeOf(line) {
  const number = Number.parseInt(line.split("#")[0].split(/[\s,]+/).filter(Boolean)[0], 10);
  return Number.isNaN(number) ? null : number;
}

export function boxesByHand(text) {
  const boxes = new Map();
  for (const line of (text ?? "").split("\n")) {
    const parts = line.split("#")[0].split(/[\s,]+/).filter(Boolean).map(Number);
    if (parts.length === 4 && parts.every(Number.isFinite)) boxes.set(parts[0], parts.slice(1));
  }
  return boxes;
}

// The square that a drag from one corner towards another draws, in footage pixels: [left, top, side].
export function squareOf(from, to) {
  const side = Math.max(Math.abs(to.x - from.x), Math.abs(to.y - from.y));
  return [to.x < from.x ? from.x - side : from.x, to.y < from.y ? from.y - side : from.y, side];
}

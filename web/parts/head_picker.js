// The track on frames of the clip: click a head to follow it, drag a square to set a box by hand, scrub through the moments.
// Fills in the widgets `which`, `x`, `y` and `keyframes`; shows what the last run found.

import { api } from "../../../scripts/api.js";
import { boxesByHand, squareOf, withKeyframe } from "./keyframes.js";
import { said } from "./words.js";

const ORIGINS = ["absent", "detected", "tracked", "interpolated", "by hand"];
const COLOURS = ["#5a3434", "#5fbf77", "#4f9fd6", "#c9a94b", "#e46fae"];
const LEAST_DRAG = 6; // pixels of the picture; less is a click

export function addHeadPicker(node) {
  node.lpdHeadPicker = new HeadPicker(node);
}

class HeadPicker {
  constructor(node) {
    this.node = node;
    this.moment = 0;
    this.track = null;
    this.build();
  }

  build() {
    const make = (tag, style, more = {}) => Object.assign(document.createElement(tag), more, { style });
    this.root = make("div", "display:none;flex-direction:column;gap:4px", { className: "lpd-head-picker" });
    this.canvas = make("canvas", "width:100%;border-radius:4px;cursor:crosshair;touch-action:none;display:block");
    this.canvas.title = said("Click a head to follow it. Drag a square to set its box by hand in this frame.");
    this.strip = make("canvas", "width:100%;height:8px;border-radius:2px", { height: 8, width: 480 });
    this.strip.title = said("Brown: no head. Green: detected. Blue: tracked. Yellow: interpolated. Pink: set by hand.");
    const row = make("div", "display:flex;gap:6px;align-items:center;font-size:11px;color:var(--input-text,#ddd)");
    this.slider = make("input", "flex:1;min-width:40px", { type: "range", min: 0, value: 0, step: 1 });
    this.label = make("span", "min-width:110px;text-align:right");
    this.remove = make("button", "font-size:11px", { textContent: said("remove box") });
    row.append(this.slider, this.label, this.remove);
    this.root.append(this.canvas, this.strip, row);
    this.listen();
    const height = () => (this.track ? this.heightOf(this.node.size[0]) : 0);
    const options = { serialize: false, getMinHeight: height, getMaxHeight: height };
    const widget = this.node.addDOMWidget("lpd_head_picker", "lpd_head_picker", this.root, options);
    widget.serialize = false;
  }

  heightOf(width) {
    return Math.round((Math.max(width - 30, 120) * this.track.height) / this.track.width) + 44;
  }

  listen() {
    this.slider.oninput = () => this.go(Number(this.slider.value));
    this.remove.onclick = () => this.setKeyframes(withKeyframe(this.widget("keyframes")?.value, this.frame, null));
    this.canvas.onpointerdown = (event) => {
      if (!this.track) return;
      event.preventDefault();
      event.stopPropagation(); // the editor would move the node
      this.canvas.setPointerCapture(event.pointerId);
      this.from = this.to = this.at(event);
    };
    this.canvas.onpointermove = (event) => {
      if (!this.from) return;
      this.to = this.at(event);
      this.draw();
    };
    this.canvas.onpointerup = (event) => {
      if (!this.from) return;
      const [from, to] = [this.from, this.at(event)];
      this.from = this.to = null;
      const box = squareOf(from, to);
      if (box[2] * (this.canvas.width / this.track.width) < LEAST_DRAG) this.pick(from);
      else this.setKeyframes(withKeyframe(this.widget("keyframes")?.value, this.frame, box));
    };
    this.canvas.onpointercancel = () => {
      this.from = this.to = null;
      this.draw();
    };
  }

  // Where the pointer is, in pixels of the footage.
  at(event) {
    const place = this.canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - place.left) / place.width) * this.track.width,
      y: ((event.clientY - place.top) / place.height) * this.track.height,
    };
  }

  get frame() {
    return this.track.moments[this.moment].frame;
  }

  widget(name) {
    return this.node.widgets?.find((widget) => widget.name === name);
  }

  set(name, value) {
    const widget = this.widget(name);
    if (!widget) return;
    widget.value = value;
    widget.callback?.(value);
    this.node.setDirtyCanvas(true, true);
  }

  pick(point) {
    this.set("which", "nearest");
    this.set("x", Math.round((1000 * point.x) / this.track.width) / 1000);
    this.set("y", Math.round((1000 * point.y) / this.track.height) / 1000);
    this.draw();
  }

  setKeyframes(text) {
    this.set("keyframes", text);
    this.draw();
  }

  // What a run found: size, frames, moments with pictures, boxes and origins by frame.
  show(track) {
    if (!track?.moments?.length) return;
    this.track = track;
    this.pictures = track.moments.map(({ picture }) => {
      const image = new Image();
      image.onload = () => this.draw();
      image.src = api.apiURL(`/view?${new URLSearchParams(picture)}`);
      return image;
    });
    this.slider.max = track.moments.length - 1;
    this.root.style.display = "flex";
    this.go(Math.min(this.moment, track.moments.length - 1));
    const size = this.node.computeSize?.();
    if (size) this.node.setSize([Math.max(this.node.size[0], 320), Math.max(this.node.size[1], size[1])]);
  }

  go(moment) {
    this.moment = moment;
    this.slider.value = moment;
    this.draw();
  }

  draw() {
    const image = this.pictures?.[this.moment];
    if (!this.track || !image?.complete || !image.naturalWidth) return;
    const { canvas, track, frame } = this;
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    const pen = canvas.getContext("2d");
    pen.drawImage(image, 0, 0);
    const scale = canvas.width / track.width;
    const square = ([left, top, side], colour, dash = []) => {
      pen.strokeStyle = colour;
      pen.lineWidth = Math.max(2, canvas.width / 240);
      pen.setLineDash(dash);
      pen.strokeRect(left * scale, top * scale, side * scale, side * scale);
    };
    const byHand = boxesByHand(this.widget("keyframes")?.value).get(frame);
    if (track.boxes[frame]) square(track.boxes[frame], COLOURS[track.origins[frame]], byHand ? [6, 5] : []);
    if (byHand) square(byHand, COLOURS[4]);
    if (this.from) square(squareOf(this.from, this.to), "#ffffff");
    if (this.widget("which")?.value === "nearest") this.cross(pen, this.widget("x").value, this.widget("y").value);
    const origin = byHand ? ORIGINS[4] : (ORIGINS[track.origins[frame]] ?? "");
    this.label.textContent = said("frame {}: {}", frame, said(origin));
    this.remove.disabled = !byHand;
    this.drawStrip();
  }

  cross(pen, x, y) {
    const [px, py, arm] = [x * this.canvas.width, y * this.canvas.height, this.canvas.width / 40];
    pen.setLineDash([]);
    pen.strokeStyle = "#ffffff";
    pen.beginPath();
    pen.moveTo(px - arm, py);
    pen.lineTo(px + arm, py);
    pen.moveTo(px, py - arm);
    pen.lineTo(px, py + arm);
    pen.stroke();
  }

  drawStrip() {
    const { strip, track } = this;
    const pen = strip.getContext("2d");
    const wide = strip.width / track.frames;
    pen.clearRect(0, 0, strip.width, strip.height);
    track.origins.forEach((origin, frame) => {
      pen.fillStyle = COLOURS[origin];
      pen.fillRect(frame * wide, 0, Math.max(wide, 1), strip.height);
    });
    pen.fillStyle = COLOURS[4];
    for (const frame of boxesByHand(this.widget("keyframes")?.value).keys()) pen.fillRect(frame * wide - 1, 0, 3, strip.height);
    pen.fillStyle = "#ffffff";
    pen.fillRect(this.frame * wide - 1, 0, 2, strip.height);
  }
}

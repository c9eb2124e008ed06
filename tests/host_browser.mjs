// A headless browser in a real host's editor; prints what it saw as JSON. Started by test_host_browser.py.
//   node host_browser.mjs ADDRESS SCREENSHOT CHROMIUM   with playwright-core beside LPD_PLAYWRIGHT's node_modules

import { createRequire } from "node:module";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const { chromium } = createRequire(join(process.env.LPD_PLAYWRIGHT, "x.js"))("playwright-core");
const [address, screenshot, executablePath] = process.argv.slice(2);
const seen = { errors: [], templates: {} };

const flags = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";
const context = await chromium.launchPersistentContext(mkdtempSync(join(tmpdir(), "lpd-browser-")), {
  executablePath, headless: true, args: flags.split(" "), viewport: { width: 1920, height: 1080 },
});
const page = await context.newPage();
page.setDefaultTimeout(600000); // a busy machine takes minutes
page.on("pageerror", (error) => {
  const said = String(error.stack ?? error);
  if (!said.includes("addSetting")) seen.errors.push(said); // 0.3.64's frontend stumbles over its own settings as it starts
});
page.on("console", (message) => message.type() === "error" && /lpd/i.test(message.text()) && seen.errors.push(message.text()));
try {
  await page.request.post(`${address}/api/settings`, { data: { "Comfy.TutorialCompleted": true } }); // no welcome before the graph
  await open();
  const listed = await (await page.request.get(`${address}/workflow_templates`)).json();
  const [pack, names] = Object.entries(listed).find(([, templates]) => templates.includes("puppeteer"));
  for (const name of names) {
    const drawn = await (await page.request.get(`${address}/api/workflow_templates/${encodeURIComponent(pack)}/${name}.json`)).json();
    seen.templates[name] = await page.evaluate(async (content) => {
      await window.app.loadGraphData(content);
      await new Promise((done) => setTimeout(done, 500));
      const nodes = window.app.graph.nodes ?? window.app.graph._nodes;
      const { output } = await window.app.graphToPrompt();
      return {
        missing: nodes.filter((node) => !LiteGraph.registered_node_types[node.type]).map((node) => node.type),
        prompt: output,
        saved: window.app.graph.serialize().nodes.map((node) => [node.type, node.widgets_values ?? []]),
      };
    }, drawn);
    const thumbnail = await page.request.get(`${address}/api/workflow_templates/${encodeURIComponent(pack)}/${name}.jpg`);
    seen.templates[name].thumbnail = thumbnail.ok();
    seen.templates[name].drawn = drawn;
  }
  await runDemo();
  await dragAndClick();
  await speakKorean();
  seen.help = (await page.request.get(`${address}/extensions/${encodeURIComponent(pack)}/docs/LPDTrackHead/en.md`)).ok();
  seen.scripts = (await page.request.get(`${address}/extensions/${encodeURIComponent(pack)}/lpd.js`)).ok();
} catch (error) {
  seen.errors.push(String(error.stack ?? error));
  await page.screenshot({ path: screenshot }).catch(() => {});
}
console.log(JSON.stringify(seen));
await context.close();

async function open() {
  await page.goto(address, { waitUntil: "domcontentloaded" });
  await page.waitForFunction(() => window.app?.graph && window.app?.canvas && Object.keys(LiteGraph.registered_node_types).includes("LPDTrackHead"), null);
}

async function speakKorean() {
  await page.request.post(`${address}/api/settings`, { data: { "Comfy.Locale": "ko" } });
  await open();
  seen.korean = await page.evaluate(() => {
    const node = LiteGraph.createNode("LPDLoadClip");
    window.app.graph.add(node);
    const button = node.widgets.find((one) => one.type === "button");
    return { title: node.title, folder: LiteGraph.registered_node_types.LPDLoadClip.category, button: button.label ?? button.name };
  });
}

async function runDemo() {
  await page.evaluate(async (content) => {
    await window.app.loadGraphData(content);
    const nodes = window.app.graph.nodes ?? window.app.graph._nodes;
    const set = (node, name, value) => (node.widgets.find((widget) => widget.name === name).value = value);
    const loads = nodes.filter((node) => node.type === "LPDLoadClip");
    set(loads[0], "file", "portrait.png");
    set(loads[1], "file", "talking.mp4");
    set(loads[1], "out_point", "0.7");
    set(nodes.find((node) => node.type === "LPDAdaptIdentity"), "steps", 0);
    window.lpdEnded = null;
    for (const kind of ["execution_success", "execution_error"])
      window.app.api.addEventListener(kind, (event) => (window.lpdEnded = [kind, event.detail]));
    window.lpdPreviews = 0;
    for (const kind of ["b_preview_with_metadata", "b_preview"]) window.app.api.addEventListener(kind, () => window.lpdPreviews++);
    await window.app.queuePrompt(0);
  }, seen.templates.puppeteer.drawn);
  await page.waitForFunction(() => window.lpdEnded, null, { timeout: 1800000 });
  seen.ended = await page.evaluate(() => window.lpdEnded);
  seen.previews = await page.evaluate(() => window.lpdPreviews);
  await page.waitForFunction(() => [...document.querySelectorAll("video")].some((video) => video.readyState >= 2), null, { timeout: 60000 }).catch(() => {});
  seen.video = await page.evaluate(async () => {
    const video = [...document.querySelectorAll("video")].find((one) => one.readyState >= 2);
    if (!video) return null;
    video.muted = true;
    await video.play();
    return { width: video.videoWidth, height: video.videoHeight, seconds: video.duration };
  });
  seen.notes = await page.evaluate(() => [...document.querySelectorAll(".lpd-notes")].map((one) => one.textContent));
}

async function dragAndClick() {
  // Show the driver's track: its node at twice the size, in the middle.
  await page.evaluate(() => {
    const nodes = window.app.graph.nodes ?? window.app.graph._nodes;
    const node = nodes.find((one) => one.lpdHeadPicker?.track?.frames > 1); // the driver's
    const { ds, canvas } = window.app.canvas;
    ds.scale = 1;
    ds.offset[0] = canvas.clientWidth / 2 - node.pos[0] - node.size[0] / 2;
    ds.offset[1] = 120 - node.pos[1];
    window.app.canvas.setDirty(true, true);
    window.lpdTrackNode = node;
  });
  await page.waitForTimeout(1500);
  const place = await page.evaluate(() => {
    const { left, top, width, height } = window.lpdTrackNode.lpdHeadPicker.canvas.getBoundingClientRect();
    return { left, top, width, height };
  });
  seen.picker = place;
  const at = (x, y) => [place.left + x * place.width, place.top + y * place.height];
  const values = () => page.evaluate(() => Object.fromEntries(window.lpdTrackNode.widgets.map((widget) => [widget.name, widget.value])));
  await page.mouse.move(...at(0.25, 0.1));
  await page.mouse.down();
  await page.mouse.move(...at(0.5, 0.4), { steps: 5 });
  await page.mouse.move(...at(0.75, 0.7), { steps: 5 });
  await page.mouse.up();
  seen.dragged = (await values()).keyframes;
  await page.mouse.click(...at(0.5, 0.4));
  const { which, x, y } = await values();
  seen.clicked = { which, x, y };
  await page.evaluate(() => {
    const picker = window.lpdTrackNode.lpdHeadPicker;
    picker.slider.value = picker.slider.max;
    picker.slider.oninput();
  });
  seen.scrubbed = await page.evaluate(() => window.lpdTrackNode.lpdHeadPicker.label.textContent);
  seen.saved = await page.evaluate(() => window.app.graph.serialize().nodes.find((node) => String(node.id) === String(window.lpdTrackNode.id)).widgets_values);
  await page.evaluate(() => {
    const nodes = (window.app.graph.nodes ?? window.app.graph._nodes).filter((node) => ["LPDLoadClip", "LPDTrackHead", "LPDSourceIdentity", "LPDDrivingPose"].includes(node.type));
    const left = Math.min(...nodes.map((node) => node.pos[0]));
    const { ds } = window.app.canvas;
    ds.scale = 0.62;
    ds.offset[0] = 40 / ds.scale - left;
    ds.offset[1] = 110 / ds.scale;
    window.app.canvas.setDirty(true, true);
  });
  await page.waitForTimeout(2500);
  await page.screenshot({ path: screenshot });
}

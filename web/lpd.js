// LPD in the editor: notes under a node, a button that uploads files, and a view of the track in which to pick a head.
// Every part only fills in the node's own widgets, so a graph made with it runs without it, and the other way round.

import { app } from "../../scripts/app.js";
import { showNotes } from "./parts/notes.js";
import { addUpload } from "./parts/upload.js";
import { addHeadPicker } from "./parts/head_picker.js";

const FILES_TO_READ = { LPDLoadClip: "file", LPDLoadIdentity: "file" };

function after(prototype, name, work) {
  const before = prototype[name];
  prototype[name] = function (...given) {
    const result = before?.apply(this, given);
    try {
      work.apply(this, given);
    } catch (error) {
      console.error(`LPD: ${name} of ${this.type}`, error); // the node's own widgets still do
    }
    return result;
  };
}

app.registerExtension({
  name: "lpd.nodes",
  async beforeRegisterNodeDef(nodeType, nodeData) {
    if (!nodeData.name?.startsWith("LPD")) return;
    const file = FILES_TO_READ[nodeData.name];
    after(nodeType.prototype, "onNodeCreated", function () {
      if (file) addUpload(this, file);
      if (nodeData.name === "LPDTrackHead") addHeadPicker(this);
    });
    after(nodeType.prototype, "onExecuted", function (output) {
      showNotes(this, output?.text);
      if (output?.lpd_track) this.lpdHeadPicker?.show(output.lpd_track[0]);
    });
  },
});

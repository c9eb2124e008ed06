// A button that puts a file of this computer into the host's input folder and names it in the node.

import { api } from "../../../scripts/api.js";
import { said } from "./words.js";

async function sent(file) {
  const form = new FormData();
  form.append("image", file, file.name); // the host's route for all kinds of input files
  form.append("type", "input");
  form.append("subfolder", "lpd");
  const answer = await api.fetchApi("/upload/image", { method: "POST", body: form });
  if (answer.status === 413) throw new Error(said("{} is larger than the host takes; copy it into its input folder", file.name));
  if (!answer.ok) throw new Error(said("the host did not take {} ({})", file.name, `${answer.status} ${answer.statusText}`));
  const { name, subfolder } = await answer.json();
  return subfolder ? `${subfolder}/${name}` : name;
}

export function addUpload(node, name) {
  const target = node.widgets?.find((widget) => widget.name === name);
  if (!target) return;
  const chooser = document.createElement("input");
  chooser.type = "file";
  const label = said("choose file to upload");
  const button = node.addWidget("button", label, null, () => chooser.click(), { serialize: false });
  button.serialize = false;
  chooser.onchange = async () => {
    const file = chooser.files[0];
    chooser.value = "";
    if (!file) return;
    button.label = said("uploading {} …", file.name);
    node.setDirtyCanvas(true, true);
    try {
      target.value = await sent(file);
      target.callback?.(target.value);
      button.label = label;
    } catch (error) {
      button.label = String(error.message ?? error);
    }
    node.setDirtyCanvas(true, true);
  };
}

// Asks for one recording: a button that opens a file chooser, and samples to take instead.

import { checkFile } from "./file_check.js";
import { cannotBeOpened } from "./part_chooser.js";
import { make } from "../ui/elements.js";

const SAMPLES = "/static/samples/";

export class ClipInput {
  /**
   * @param {HTMLElement} area holds a file input, and where the buttons of samples go as .clip-input__samples
   * @param {object} parts
   * @param {string[]} parts.samples files among the page's samples
   * @param {() => object | null} parts.limits of the server, once known
   * @param {typeof checkFile} [parts.check] says why a file cannot be used
   * @param {import("./part_chooser.js").PartChooser} [parts.partChooser] for files that are taken in part
   * @param {(files: {file: File, part: object, seconds?: number}[]) => void} parts.onFiles
   * @param {(reason: string) => void} parts.onRefusal
   */
  constructor(area, { samples, limits, check = checkFile, partChooser, onFiles, onRefusal }) {
    Object.assign(this, { limits, check, partChooser, onFiles, onRefusal });
    const input = area.querySelector("input[type=file]");
    this.isForOne = !input.multiple;
    this.asked = 0;
    input.addEventListener("change", () => {
      const files = [...input.files];
      input.value = "";
      this.take(files);
    });
    this.renderSamples(area.querySelector(".clip-input__samples"), samples).catch(() => {});
  }

  async renderSamples(list, wanted) {
    if (!list || wanted.length === 0) return;
    const { samples, machines } = await (await fetch(`${SAMPLES}samples.json`)).json();
    for (const { audio, title } of [...samples, ...machines].filter((sample) => wanted.includes(sample.audio))) {
      const button = make("button", { className: "link", type: "button" }, [title]);
      button.addEventListener("click", async () => {
        const isCurrent = this.begin();
        const content = await fetch(SAMPLES + audio)
          .then((response) => (response.ok ? response.blob() : null))
          .catch(() => null);
        if (!isCurrent()) return;
        if (content) this.onFiles([{ file: new File([content], audio), part: {} }]);
        else this.onRefusal(`The sound “${title}” cannot be fetched. Try again.`);
      });
      list.append(button);
    }
  }

  /** Returns what says whether a choice still counts: where one recording is asked for, only the last one does. */
  begin() {
    const asked = (this.asked += 1);
    return () => !this.isForOne || asked === this.asked;
  }

  async take(files) {
    const isCurrent = this.begin();
    const accepted = [];
    for (const file of files) {
      const { reason, isLong, seconds } = await this.check(file, this.limits());
      if (!isCurrent()) return;
      if (reason) this.onRefusal(`${file.name}: ${reason}`);
      else if (!isLong) accepted.push({ file, part: {}, seconds });
      else {
        const chosen = await this.choosePart(file);
        if (chosen) accepted.push(chosen);
      }
    }
    if (accepted.length > 0 && isCurrent()) this.onFiles(accepted);
  }

  async choosePart(file) {
    try {
      return await this.partChooser.choose(file, this.limits(), "Use this part");
    } catch {
      this.onRefusal(cannotBeOpened(file, this.limits()));
      return null;
    }
  }
}

// Recordings that visitors drop, choose or paste.

import { checkFile } from "./file_check.js";
import { cannotBeOpened } from "./part_chooser.js";

export class FileInput {
  /** Limits of the server, once known. */
  limits = null;

  /**
   * @param {object} parts
   * @param {HTMLInputElement} parts.input
   * @param {HTMLElement[]} parts.dropTargets marked while something is dragged over the page
   * @param {() => ((files: File[]) => void) | null} parts.elsewhere what takes dropped and pasted files at the moment
   *   in place of this; null for nothing
   * @param {import("./part_chooser.js").PartChooser} parts.partChooser for recordings that are too long
   * @param {(chosen: {file: File, part: object}[]) => void} parts.onFiles
   * @param {(file: File) => Promise<boolean>} parts.onImage tries to use an image; returns whether it did
   * @param {(reason: string) => void} parts.onRefusal
   */
  constructor({ input, dropTargets, elsewhere, partChooser, onFiles, onImage, onRefusal }) {
    Object.assign(this, { partChooser, onFiles, onImage, onRefusal });
    input.addEventListener("change", () => {
      const files = [...input.files];
      input.value = ""; // The same file may be chosen again.
      this.take(files);
    });
    const receive = (files) => (elsewhere() ?? ((taken) => this.take(taken)))([...files]);
    document.addEventListener("paste", (event) => receive(event.clipboardData.files));
    this.watchDrops(dropTargets, receive);
  }

  watchDrops(dropTargets, receive) {
    let depth = 0;
    const mark = (change) => {
      depth = Math.max(0, depth + change);
      for (const target of dropTargets) target.toggleAttribute("data-over", depth > 0);
    };
    document.addEventListener("dragenter", (event) => {
      event.preventDefault();
      mark(+1);
    });
    document.addEventListener("dragleave", () => mark(-1));
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      mark(-depth);
      receive(event.dataTransfer.files);
    });
  }

  async take(files) {
    const accepted = [];
    const long = [];
    for (const file of files) {
      if (file.type === "image/png" && (await this.onImage(file))) continue;
      const { reason, isLong } = await checkFile(file, this.limits);
      if (reason) this.onRefusal(`${file.name}: ${reason}`);
      else if (isLong) long.push(file);
      else accepted.push({ file, part: {} });
    }
    if (accepted.length > 0) this.onFiles(accepted);
    for (const file of long) await this.takePart(file);
  }

  async takePart(file) {
    try {
      const chosen = await this.partChooser.choose(file, this.limits);
      if (chosen) this.onFiles([chosen]);
    } catch {
      this.onRefusal(cannotBeOpened(file, this.limits));
    }
  }
}

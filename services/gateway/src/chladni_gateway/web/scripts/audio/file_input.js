// Recordings that visitors drop, choose or paste.

import { rejectionReasonOf } from "./file_check.js";

export class FileInput {
  /** Limits of the server, once known. */
  limits = null;

  constructor({ input, dropTarget, onFiles, onRefusal }) {
    this.onFiles = onFiles;
    this.onRefusal = onRefusal;
    input.addEventListener("change", () => {
      const files = [...input.files];
      input.value = ""; // The same file may be chosen again.
      this.take(files);
    });
    document.addEventListener("paste", (event) => this.take([...event.clipboardData.files]));
    this.watchDrops(dropTarget);
  }

  watchDrops(dropTarget) {
    let depth = 0;
    const mark = (change) => {
      depth = Math.max(0, depth + change);
      dropTarget.toggleAttribute("data-over", depth > 0);
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
      this.take([...event.dataTransfer.files]);
    });
  }

  async take(files) {
    const accepted = [];
    for (const file of files) {
      const reason = await rejectionReasonOf(file, this.limits);
      if (reason) this.onRefusal(`${file.name}: ${reason}`);
      else accepted.push(file);
    }
    if (accepted.length > 0) this.onFiles(accepted);
  }
}

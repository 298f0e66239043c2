// Sharing one image: private until its owner makes a link, which can be withdrawn.

import { addLinkAudio, fetchLink, makeLink, withdrawLink } from "../api/gateway.js";
import { partOf } from "../audio/image_recordings.js";
import { fileNameOf } from "../gallery/image_actions.js";
import { cutOut } from "../input/waveform.js";

export class ShareSheet {
  /**
   * @param {HTMLDialogElement} dialog
   * @param {object} parts
   * @param {(image: object) => Promise<File | undefined>} parts.recordingOf
   * @param {(image: object) => string} parts.label
   */
  constructor(dialog, { recordingOf, label }) {
    Object.assign(this, { dialog, recordingOf, label });
    this.part = (id) => dialog.querySelector(`#share-${id}`);
    const on = (id, run) => this.part(id).addEventListener("click", () => run().catch((error) => this.say(error.message)));
    on("make", () => this.make());
    on("withdraw", () => this.withdraw());
    on("copy-link", () => this.copyLink());
    on("copy-image", () => this.copyImage());
    on("send", () => this.send());
    this.part("send").hidden = !navigator.share;
    this.part("copy-image").hidden = !(navigator.clipboard?.write && globalThis.ClipboardItem);
  }

  async open(image) {
    const asked = (this.asked = {});
    const file = await this.recordingOf(image);
    if (asked !== this.asked) return;
    Object.assign(this, { image, file });
    this.part("title").textContent = `Share ${this.label(image)}`;
    this.part("with-audio").checked = false;
    this.part("with-audio").closest("label").hidden = !this.file;
    this.say("");
    this.show(null);
    if (!this.dialog.open) this.dialog.showModal();
    const link = await fetchLink(image.image_id).catch((error) => this.say(error.message) ?? null);
    // Another image may be shared by now, or this one's link made or withdrawn.
    if (asked === this.asked) this.show(link);
  }

  /** Says something in the sheet, which covers the messages of the page. */
  say(text) {
    this.part("said").textContent = text;
  }

  show(link) {
    this.link = link;
    this.part("private").hidden = link !== null;
    this.part("public").hidden = link === null;
    if (link) {
      this.part("address").value = new URL(link.path, location.href).href;
      this.part("heard").textContent = link.with_audio ? "Its sound can be heard there." : "Its sound cannot be heard there.";
    }
  }

  async make() {
    const { image, file } = this;
    const isHeard = this.part("with-audio").checked && file;
    const asked = (this.asked = {});
    const link = await makeLink(image.image_id);
    if (asked !== this.asked) return;
    this.show(link); // At once: there is a link now, even if the sound does not get there.
    this.part("address").focus();
    this.part("address").select();
    if (!isHeard) return;
    const heard = await addLinkAudio(link.link, await partAlone(file, image.audio));
    if (asked === this.asked) this.show(heard);
  }

  async withdraw() {
    const asked = (this.asked = {});
    await withdrawLink(this.link.link).catch((error) => {
      if (error.status !== 404) throw error; // It is gone already.
    });
    if (asked !== this.asked) return;
    this.show(null);
    this.say("The link is withdrawn: it leads nowhere now.");
    this.part("make").focus();
  }

  async copyLink() {
    this.part("address").select();
    await navigator.clipboard.writeText(this.part("address").value);
    this.say("The link is copied.");
  }

  async copyImage() {
    const blob = await (await fetch(this.image.image_url)).blob();
    await navigator.clipboard.write([new ClipboardItem({ "image/png": blob.type === "image/png" ? blob : await asPng(blob) })]);
    this.say("The image is copied.");
  }

  /** Hands the image file to the device's own way of sharing. */
  async send() {
    const blob = await (await fetch(this.image.image_url)).blob();
    const file = new File([blob], fileNameOf(this.image), { type: blob.type });
    const address = this.link ? { url: this.part("address").value } : {};
    await navigator.share({ files: [file], ...address }).catch((error) => {
      if (error.name !== "AbortError") throw error;
    });
  }
}

/** Returns what an image was drawn from: of a longer recording, only that part is heard by others. */
async function partAlone(file, audio) {
  const { start_seconds: start, end_seconds: end } = partOf(audio);
  if (start === undefined) return file;
  return cutOut(file, { start, end }).catch(() => {
    throw new Error("This browser cannot cut out the part that was drawn, so its sound cannot be heard there.");
  });
}

async function asPng(blob) {
  const bitmap = await createImageBitmap(blob);
  const canvas = Object.assign(document.createElement("canvas"), { width: bitmap.width, height: bitmap.height });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

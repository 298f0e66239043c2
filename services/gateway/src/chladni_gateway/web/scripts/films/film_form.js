// The song of a film, and how the film is to be made.

import { ClipInput } from "../input/clip_input.js";
import { checkSong } from "../input/file_check.js";
import { keepFields, recallFields } from "../input/kept_fields.js";
import { formatBytes, formatSeconds } from "../ui/format.js";

const KEY = "film-settings";
const CHOICES = ["look", "shape", "frames_per_second", "loop_seconds", "seed"];
const SAMPLES = ["calm_major.mp3", "drum_loop.mp3", "fast_minor.mp3", "dark_drone.mp3"];

export class FilmForm {
  song = null;
  /** Name of this request, so that one that is sent again does not become a second film. */
  requestId = null;

  /**
   * @param {HTMLFormElement} form
   * @param {object} parts
   * @param {() => object | null} parts.limits of films, once known
   * @param {HTMLOptionElement[]} parts.looks that images may have, and films too
   * @param {(file: File, fields: object) => void} parts.onMake
   */
  constructor(form, { limits, looks, onMake }) {
    Object.assign(this, { form, onMake });
    this.part = (id) => form.querySelector(`#films-${id}`);
    form.elements.look.append(...looks.map((look) => look.cloneNode(true)));
    this.fill(recallFields(KEY));
    this.input = new ClipInput(this.part("choose"), {
      samples: SAMPLES,
      limits,
      check: checkSong,
      onFiles: ([chosen]) => this.choose(chosen),
      onRefusal: (reason) => this.showRefusal(reason),
    });
    for (const event of ["input", "change"]) form.addEventListener(event, () => this.changed());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.showOptions();
  }

  /** Takes files that were dropped or pasted; a film is of one song. */
  take(files) {
    if (files.length > 1) this.showRefusal("A film is of one song: drop one file at a time.");
    else this.input.take(files);
  }

  choose({ file, seconds }) {
    this.song = file;
    this.changed();
    const facts = [file.name, seconds > 0 && formatSeconds(seconds), formatBytes(file.size)].filter(Boolean);
    this.part("song").textContent = facts.join(" · ");
  }

  /** Fills the form with choices that were kept; what is offered no more becomes the usual. */
  fill(kept) {
    for (const name of CHOICES.filter((name) => name in kept)) {
      const field = this.form.elements[name];
      field.value = kept[name];
      if (field.selectedIndex === -1) field.selectedIndex = 0;
    }
    if (!Array.isArray(kept.parts)) return;
    for (const box of this.form.querySelectorAll("[name=parts]")) box.checked = kept.parts.includes(box.value);
  }

  /** Keeps the choices across reloads. */
  keep() {
    const choices = CHOICES.map((name) => [name, this.form.elements[name].value]);
    keepFields(KEY, { ...Object.fromEntries(choices), parts: this.parts });
  }

  /** The next request is another one. */
  changed() {
    this.requestId = null;
    this.keep();
    this.showRefusal("");
    this.showFault("");
    this.showOptions();
  }

  /** Shows the options of the parts that are to be made. */
  showOptions() {
    for (const field of this.form.querySelectorAll("[data-of-part]")) {
      field.hidden = !this.parts.includes(field.dataset.ofPart);
    }
  }

  get parts() {
    return [...this.form.querySelectorAll("[name=parts]:checked")].map(({ value }) => value);
  }

  /** Says why a file is not taken, beside where it was chosen. */
  showRefusal(text) {
    this.say("refusal", text);
  }

  /** Says why no film is made, beside the button. */
  showFault(text) {
    this.say("fault", text);
  }

  say(id, text) {
    this.part(id).textContent = text;
    this.part(id).hidden = text === "";
  }

  submit() {
    if (this.song === null) {
      this.showRefusal("Choose a song first.");
      this.part("file").focus();
    } else if (this.parts.length === 0) {
      this.showFault("Choose at least one of visualiser, loop and cover.");
      this.form.querySelector("[name=parts]").focus();
    } else {
      this.showFault("");
      this.onMake(this.song, this.fields());
    }
  }

  /** Returns the fields to send; what is as usual is left out. */
  fields() {
    const value = (name) => this.form.elements[name].value.trim();
    const { parts } = this;
    const [width, height] = value("shape").split("x");
    // Addresses without TLS other than localhost give no randomUUID; then a repeated request may be a second film.
    this.requestId ??= crypto.randomUUID?.() ?? null;
    const fields = {
      request_id: this.requestId,
      parts: parts.join(","),
      look: value("look"),
      seed: value("seed"),
      ...(parts.includes("visualizer") && {
        width_pixels: width,
        height_pixels: height,
        frames_per_second: value("frames_per_second"),
      }),
      ...(parts.includes("loop") && { loop_seconds: value("loop_seconds") }),
    };
    return Object.fromEntries(Object.entries(fields).filter(([, given]) => given));
  }

  /** Begins again, unless another song than the one that was sent is chosen by now. */
  clear({ sent }) {
    if (this.song !== sent) return;
    this.song = null;
    this.requestId = null;
    this.part("song").textContent = "";
  }

  set isBusy(isBusy) {
    this.part("make").disabled = isBusy;
  }
}

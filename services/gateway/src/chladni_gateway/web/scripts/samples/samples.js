// Sounds to try, each with the image that the server makes of it.

import { setSymbol } from "../ui/elements.js";

const FOLDER = "/static/samples/";

export class Samples {
  /**
   * @param {HTMLElement} section holds the samples: each names its file and its seed
   * @param {object} listener
   * @param {(file: File, settings: object) => void} listener.onChoose
   * @param {(sound: {pause: () => void}) => void} listener.onPlay called when one starts, so that others stop
   * @param {(error: Error) => void} listener.onError
   */
  constructor(section, { onChoose, onPlay, onError }) {
    Object.assign(this, { onChoose, onPlay, onError });
    for (const sample of section.querySelectorAll(".sample")) {
      const draw = sample.querySelector(".sample__draw");
      draw.addEventListener("click", () => this.choose(sample.dataset).catch(onError));
      this.wire(sample.querySelector(".sample__play"), sample.dataset);
    }
  }

  wire(button, { audio: name }) {
    let audio = null;
    const show = () => {
      const isPlaying = !audio.paused && !audio.ended;
      setSymbol(button, isPlaying ? "pause" : "play");
      button.setAttribute("aria-pressed", String(isPlaying));
    };
    button.addEventListener("click", () => {
      if (!audio) {
        audio = new Audio(FOLDER + name);
        for (const event of ["play", "pause", "ended"]) audio.addEventListener(event, show);
        audio.addEventListener("play", () => !audio.paused && this.onPlay(audio));
      }
      if (audio.paused) audio.play().catch(this.onError);
      else audio.pause();
    });
  }

  async choose({ audio: name, seed }) {
    const response = await fetch(FOLDER + name);
    if (!response.ok) throw new Error(`The sound ${name} cannot be fetched. Try again.`);
    const content = await response.blob();
    this.onChoose(new File([content], name, { type: content.type }), { seed });
  }
}

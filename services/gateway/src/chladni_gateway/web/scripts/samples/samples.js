// Sounds to try, each with the image that the server makes of it.

import { copyOf, setSymbol } from "../ui/elements.js";

const FOLDER = "/static/samples/";

export class Samples {
  /**
   * @param {HTMLElement} section
   * @param {object} listener
   * @param {(file: File, settings: object) => void} listener.onChoose
   * @param {(sound: {pause: () => void}) => void} listener.onPlay called when one starts, so that others stop
   * @param {(error: Error) => void} listener.onError
   */
  constructor(section, { onChoose, onPlay, onError }) {
    Object.assign(this, { section, onChoose, onPlay, onError });
    this.load().catch(() => {}); // Without samples the page does all the rest.
  }

  async load() {
    const { samples } = await (await fetch(`${FOLDER}samples.json`)).json();
    this.section.querySelector("#samples-list").replaceChildren(...samples.map((sample) => this.render(sample)));
    this.section.hidden = false;
  }

  render(sample) {
    const element = copyOf("sample-template");
    const draw = element.querySelector(".sample__draw");
    element.querySelector(".sample__image").src = FOLDER + sample.image;
    element.querySelector(".sample__name").textContent = sample.title;
    draw.setAttribute("aria-label", `Draw ${sample.title}`);
    draw.addEventListener("click", () => this.choose(sample).catch(this.onError));
    const play = element.querySelector(".sample__play");
    this.wire(play, sample);
    return element;
  }

  wire(button, { audio: path, title }) {
    let audio = null;
    const show = () => {
      const isPlaying = Boolean(audio) && !audio.paused && !audio.ended;
      setSymbol(button, isPlaying ? "pause" : "play");
      button.setAttribute("aria-pressed", String(isPlaying));
    };
    button.setAttribute("aria-label", `Play ${title}`);
    show();
    button.addEventListener("click", () => {
      if (!audio) {
        audio = new Audio(FOLDER + path);
        for (const event of ["play", "pause", "ended"]) audio.addEventListener(event, show);
        audio.addEventListener("play", () => this.onPlay(audio));
      }
      if (audio.paused) audio.play().catch(this.onError);
      else audio.pause();
    });
  }

  async choose({ audio: path, seed, title }) {
    const response = await fetch(FOLDER + path);
    if (!response.ok) throw new Error(`The sound “${title}” cannot be fetched. Try again.`);
    const content = await response.blob();
    this.onChoose(new File([content], path, { type: content.type }), { seed: String(seed) });
  }
}

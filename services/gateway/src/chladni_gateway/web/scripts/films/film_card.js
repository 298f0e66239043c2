// One film: how far it is, what can be done with it, and its files to watch and to download.

import { copyOf, make } from "../ui/elements.js";
import { describeFile, factsOf, faultOf, isUnfinished, nameOf, PARTS, statusOf } from "./film_labels.js";

const ORDER = ["visualizer", "loop", "cover"];

export class FilmCard {
  isInterrupted = false;

  /**
   * @param {object} film
   * @param {object} parts
   * @param {number} parts.keptSeconds how long films are kept after their end
   * @param {(media: HTMLMediaElement) => void} parts.onPlay
   * @param {Record<string, (film: object) => void>} parts.actions cancel, resume, delete
   */
  constructor(film, { keptSeconds, onPlay, actions }) {
    Object.assign(this, { keptSeconds, onPlay });
    this.element = copyOf("film-template");
    this.element.dataset.filmId = film.film_id;
    this.part = (name) => this.element.querySelector(`.film__${name}`);
    this.files = new Map();
    this.part("name").textContent = nameOf(film);
    this.part("bar").setAttribute("aria-label", `Progress of the film of ${nameOf(film)}`);
    for (const button of this.part("actions").children) {
      button.setAttribute("aria-label", `${button.textContent}: ${nameOf(film)}`);
      button.addEventListener("click", () => this.act(button, actions));
    }
    this.button("delete").addEventListener("blur", () => this.askToDelete(false));
    this.show(film);
  }

  button(action) {
    return this.part("actions").querySelector(`[data-action="${action}"]`);
  }

  show(film) {
    this.film = film;
    const isGoing = isUnfinished(film);
    this.element.dataset.state = film.state;
    this.part("facts").textContent = factsOf(film);
    this.part("status").textContent = statusOf(film, this);
    this.part("bar").hidden = !isGoing;
    if (film.state === "running") this.part("bar").value = film.progress;
    else this.part("bar").removeAttribute("value");
    this.part("fault").textContent = faultOf(film);
    this.part("fault").hidden = this.part("fault").textContent === "";
    this.toggle("cancel", isGoing);
    this.toggle("resume", film.state === "failed" || film.state === "cancelled");
    this.toggle("delete", !isGoing);
    for (const file of film.files) if (!this.files.has(file.part)) this.addFile(file);
  }

  /** Says that nothing is known of the film for a moment. */
  interrupt() {
    this.isInterrupted = true;
    this.show(this.film);
  }

  /** Shows or hides a button; the focus does not get lost with it. */
  toggle(action, isShown) {
    const button = this.button(action);
    const hadFocus = document.activeElement === button;
    button.hidden = !isShown;
    if (hadFocus && !isShown) this.part("name").focus();
  }

  act(button, actions) {
    const { action } = button.dataset;
    if (action === "delete" && !button.dataset.sure) this.askToDelete(true);
    else actions[action](this.film);
  }

  /** Lets the next click delete the film. */
  askToDelete(isAsking) {
    const button = this.button("delete");
    if (isAsking) button.dataset.sure = "true";
    else delete button.dataset.sure;
    button.textContent = isAsking ? "Delete its files for good?" : "Delete";
    button.setAttribute("aria-label", `${button.textContent}: ${nameOf(this.film)}`);
  }

  addFile(file) {
    this.files.set(file.part, file);
    // The server names the file after its song.
    const link = make("a", { className: "film__download", href: file.url, download: "" }, [describeFile(file)]);
    const figure = make("figure", { className: "film__part" }, [this.render(file), make("figcaption", {}, [link])]);
    figure.dataset.file = file.part;
    const place = ORDER.indexOf(file.part);
    const after = [...this.part("parts").children].find(({ dataset }) => ORDER.indexOf(dataset.file) > place);
    this.part("parts").insertBefore(figure, after ?? null);
  }

  render({ part, url }) {
    const name = `The ${PARTS[part]} of ${nameOf(this.film)}`;
    if (part === "cover") return make("img", { src: url, alt: name, loading: "lazy", width: 1024, height: 1024 });
    const video = make("video", { src: url, controls: true, playsInline: true, preload: "metadata", loop: part === "loop" });
    video.setAttribute("aria-label", name);
    const cover = this.files.get("cover");
    if (cover && part !== "loop") video.poster = cover.url;
    video.addEventListener("play", () => !video.paused && this.onPlay(video));
    return video;
  }
}

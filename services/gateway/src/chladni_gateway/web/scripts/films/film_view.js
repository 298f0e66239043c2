// Films of songs: they are asked for, followed while the server makes them, watched and downloaded.

import { adviceFor } from "../api/error_advice.js";
import { cancelFilm, createFilm, deleteFilm, fetchFilms, openFilmEvents, resumeFilm } from "../api/films.js";
import { followEvents } from "../api/followed_events.js";
import { announce } from "../ui/announcer.js";
import { copyOf } from "../ui/elements.js";
import { formatNumber } from "../ui/format.js";
import { FilmCard } from "./film_card.js";
import { FilmForm } from "./film_form.js";
import { describeFilmLimits, isUnfinished, nameOf } from "./film_labels.js";

const NOT_OFFERED = "NOT_IMPLEMENTED";
const LOOK_MS = 10_000; // Between looks at those films that are not followed.

export class FilmView {
  limits = null;
  isOffered = true; // As far as is known.
  films = []; // The newest first.
  cards = new Map();
  followed = null; // `{filmId, controller}`, of the film whose events are followed.
  commands = 0; // How often this page has changed what films there are, or what becomes of one.

  constructor(section, { looks, playback, onError, onNote }) {
    Object.assign(this, { section, playback, onError, onNote });
    section.append(copyOf("films-template"));
    this.part = (id) => section.querySelector(`#films-${id}`);
    this.form = new FilmForm(this.part("form"), {
      limits: () => this.limits,
      looks,
      onMake: (file, fields) => this.make(file, fields),
    });
    this.part("cancel-sending").addEventListener("click", () => this.sending?.abort());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.refresh());
  }

  /** Fetches this session's films, and goes on following them; says so if this server makes none. */
  async load() {
    try {
      const { films, limits } = await fetchFilms();
      this.limits = limits;
      this.part("limits").textContent = describeFilmLimits(limits);
      this.set(films);
    } catch (error) {
      if (error.code !== NOT_OFFERED) throw error;
      this.part("operator").textContent = error.message;
      this.isOffered = false;
    }
    this.part("none").hidden = this.isOffered;
    this.part("offer").hidden = !this.isOffered;
    this.follow();
  }

  /** Fetches the films again, if the server answers; an answer that a command has overtaken is out of date. */
  async refresh() {
    if (this.limits === null) return;
    const { commands } = this;
    const { films } = await fetchFilms().catch(() => ({ films: this.films }));
    if (commands === this.commands) this.set(films);
    this.follow();
  }

  /** Takes files that were dropped or pasted while films are shown. */
  take(files) {
    if (!this.isOffered) this.onNote("This server makes no films.");
    else if (this.limits === null) this.onNote("The server has not said yet what songs it takes. Give it again in a moment.");
    else this.form.take(files);
  }

  set(films) {
    const known = new Set(films.map(({ film_id: id }) => id));
    for (const [id, { element }] of this.cards) {
      if (known.has(id)) continue;
      element.remove();
      this.cards.delete(id);
    }
    this.films = films;
    for (const film of [...films].reverse()) this.show(film);
    this.showCount();
  }

  /** Shows what is new of a film. */
  put(film) {
    const before = this.films.find(({ film_id: id }) => id === film.film_id);
    if (before) this.films = this.films.map((other) => (other === before ? film : other));
    else this.films = [film, ...this.films];
    this.show(film);
    this.showCount();
    if (before && isUnfinished(before) && !isUnfinished(film)) this.tell(film);
  }

  show(film) {
    const card = this.cards.get(film.film_id);
    if (card) {
      card.isInterrupted = false;
      card.show(film);
      return;
    }
    const made = new FilmCard(film, {
      keptSeconds: this.limits.retention_seconds,
      onPlay: (media) => this.playback.started(media),
      actions: {
        cancel: () => this.run(() => cancelFilm(film.film_id)),
        resume: () => this.run(() => resumeFilm(film.film_id)),
        delete: () => this.remove(film),
      },
    });
    this.cards.set(film.film_id, made);
    this.part("list").prepend(made.element);
  }

  showCount() {
    this.part("empty").hidden = this.films.length > 0;
  }

  /** Says how a film has ended, also to those who look at another part of the page. */
  tell(film) {
    const words = { completed: "is done", failed: "could not be made", cancelled: "is stopped" }[film.state];
    const text = `The film of ${nameOf(film)} ${words}.`;
    if (this.section.hidden && film.state !== "cancelled") this.onNote(text);
    else announce(text);
  }

  async make(file, fields) {
    const { max_films: most } = this.limits;
    if (this.films.length >= most) {
      this.form.showFault(`You have ${formatNumber(most, "film")}, as many as the server keeps. Delete one first.`);
      return;
    }
    this.sending = new AbortController();
    this.form.isBusy = true;
    this.showSending(file, 0);
    addEventListener("beforeunload", preventLeaving);
    try {
      const film = await createFilm(file, fields, {
        signal: this.sending.signal,
        onSent: (share) => this.showSending(file, share),
      });
      this.commands += 1;
      this.form.clear({ sent: file });
      this.put(film);
      this.cards.get(film.film_id).part("name").focus();
      announce(`The song is sent. ${nameOf(film)} becomes a film.`);
    } catch (error) {
      if (error.name !== "AbortError") this.form.showFault([error.message, adviceFor(error)].filter(Boolean).join(" "));
    } finally {
      removeEventListener("beforeunload", preventLeaving);
      this.sending = null;
      this.form.isBusy = false;
      this.part("sending").hidden = true;
    }
    this.follow();
  }

  showSending(file, share) {
    this.part("sending").hidden = false;
    this.part("sent").textContent =
      share < 1 ? `Sending ${file.name}, ${Math.floor(share * 100)} % done.` : `${file.name} is sent; the server keeps it.`;
    this.part("sending-bar").value = share;
  }

  /** Runs a call that returns a film, and shows that. */
  async run(call) {
    try {
      const film = await call();
      this.commands += 1;
      this.put(film);
      this.follow();
    } catch (error) {
      this.onError(error);
      this.refresh();
    }
  }

  async remove(film) {
    try {
      await deleteFilm(film.film_id);
    } catch (error) {
      // What is gone already is as good as deleted.
      if (error.status !== 404) {
        this.onError(error);
        return;
      }
    }
    this.commands += 1;
    this.set(this.films.filter(({ film_id: id }) => id !== film.film_id));
    announce(`The film of ${nameOf(film)} is deleted.`);
    this.part("title").focus();
  }

  /** The film to follow: the one that is worked on, or else the one whose turn is next. */
  get foremost() {
    const going = this.films.filter(isUnfinished);
    return going.find(({ state }) => state === "running") ?? going.at(-1) ?? null;
  }

  /**
   * Follows the foremost film to its end, then the next one.
   *
   * Browsers allow few connections to one server, so only one film is followed by its events.
   */
  async follow() {
    const filmId = this.foremost?.film_id ?? null;
    if (this.followed?.filmId === filmId) return;
    this.followed?.controller.abort();
    this.followed = null;
    if (filmId === null) return;
    const controller = new AbortController();
    const { signal } = controller;
    this.followed = { filmId, controller };
    const looking = setInterval(() => this.films.filter(isUnfinished).length > 1 && this.refresh(), LOOK_MS);
    try {
      const isLast = ({ data }) => !isUnfinished(data);
      for await (const { name, data } of followEvents(() => openFilmEvents(filmId, { signal }), { signal, isLast })) {
        if (name === "interrupted") this.cards.get(filmId)?.interrupt();
        else this.put(data);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error.status !== 404) {
        this.followed = null; // It is followed again when the visitor comes back to the page.
        this.onError(error);
        return;
      }
      this.set(this.films.filter(({ film_id: id }) => id !== filmId));
    } finally {
      clearInterval(looking);
    }
    if (this.followed?.controller !== controller) return; // Another film is followed already.
    this.followed = null;
    this.follow();
  }
}

const preventLeaving = (event) => event.preventDefault();

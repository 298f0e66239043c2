// What is heard in music: key, tempo, beats, chords, melody, mood, and the melody as notation.

import { analyzeMusic } from "../api/gateway.js";
import { Player } from "../audio/player.js";
import { announce } from "../ui/announcer.js";
import { make } from "../ui/elements.js";
import { ClipInput } from "../input/clip_input.js";
import { drawContour } from "./contour.js";
import { PromptList } from "./prompts.js";
import { Reconstruction } from "./reconstruction.js";
import { Score } from "./score.js";

const SAMPLES = ["calm_major.mp3", "drum_loop.mp3", "fast_minor.mp3", "dark_drone.mp3"];
const PERCENT = 100;

export class MusicView {
  constructor(section, { limits, partChooser, imageRecordings, playback, canDraw, onDraw, onError, onRefusal }) {
    Object.assign(this, { section, imageRecordings, playback, onError });
    this.part = (id) => section.querySelector(`#music-${id}`);
    this.asked = 0;
    this.player = null;
    this.score = new Score(this.part("score"), { onPlay: (sound) => playback.started(sound) });
    this.prompts = new PromptList(this.part("prompts"), { canDraw, onDraw, onError });
    this.reconstruction = new Reconstruction(this.part("reconstruction"), { playback, onError });
    new ClipInput(section, {
      samples: SAMPLES,
      limits,
      partChooser,
      onFiles: ([{ file, part }]) => this.analyse(file, part),
      onRefusal,
    });
  }

  async analyse(file, part) {
    const asked = (this.asked += 1);
    this.part("wait").textContent = `Listening to ${file.name} …`;
    this.part("wait").hidden = false;
    this.part("result").hidden = true;
    try {
      const heard = await analyzeMusic(file, part);
      if (asked !== this.asked) return;
      this.show(file, part, heard);
      announce(`${file.name} is analysed.`);
    } catch (error) {
      if (asked === this.asked) this.onError(error);
    } finally {
      if (asked === this.asked) this.part("wait").hidden = true;
    }
  }

  show(file, part, heard) {
    this.part("title").textContent = file.name;
    this.part("facts").replaceChildren(...factsOf(heard).map(renderFact));
    const seconds = secondsOf(heard);
    this.showPlayer(file, part, seconds);
    this.part("result").hidden = false;
    drawContour(this.part("contour"), heard, seconds);
    this.part("chords").replaceChildren(...(heard.chords ?? []).map((chord) => renderChord(chord, seconds)));
    this.part("chords").hidden = (heard.chords ?? []).length === 0;
    this.part("warnings").textContent = (heard.warnings ?? []).map(({ message }) => message).join(" ");
    this.part("warnings").hidden = this.part("warnings").textContent === "";
    this.score.show(heard.abc_notation ?? "", file.name).catch(this.onError);
    this.prompts.offer(file, part);
    this.reconstruction.offer(file, part, seconds);
  }

  showPlayer(file, part, seconds) {
    this.player?.unload();
    const player = new Player(file.name, { onPlay: (started) => this.playback.started(started) });
    this.player = player;
    player.load({ file, seconds, start: part.start_seconds ?? null });
    player.onTime = (position) => this.part("stage").style.setProperty("--at", position);
    this.part("player").replaceChildren(player.element);
    this.part("stage").style.setProperty("--at", "0");
    this.part("spectrogram").hidden = true;
    this.imageRecordings.draw(file, part, { widthPixels: 1024, heightPixels: 256 }).then((blob) => {
      if (!blob || player !== this.player) return;
      player.showSpectrogram(blob);
      this.part("spectrogram").src = player.imageAddress;
      this.part("spectrogram").hidden = false;
    });
  }
}

const secondsOf = ({ audio }) => audio?.duration ?? 0;
const sure = (confidence) => (confidence === undefined ? "" : `${Math.round(confidence * PERCENT)} % sure`);

/** Returns rows of `[name, value, note]`. */
function factsOf({ keys = [], tempos = [], meter, beats, mood, dynamics, contour }) {
  const [key, otherKey] = keys;
  const [tempo, otherTempo] = tempos;
  const rows = [];
  if (key) rows.push(["Key", key.key, [sure(key.confidence), otherKey && `else ${otherKey.key}`]]);
  if (tempo) {
    const other = otherTempo?.confidence > 0.05 && `else ${Math.round(otherTempo.beats_per_minute)}`;
    rows.push(["Tempo", `${Math.round(tempo.beats_per_minute)} beats a minute`, [sure(tempo.confidence), other]]);
  }
  if (meter) rows.push(["Time", meter.signature || "none", [sure(meter.confidence)]]);
  if (beats?.times) rows.push(["Beats", `${beats.times.length}, ${beats.downbeats?.length ?? 0} of them first in a bar`, [sure(beats.confidence)]]);
  if (mood) {
    const numbers = `valence ${signed(mood.valence)}, arousal ${signed(mood.arousal)}`;
    rows.push(["Mood", (mood.words ?? []).join(", ") || "undecided", [numbers, sure(mood.confidence)]]);
  }
  if (dynamics?.marking) {
    const range = dynamics.range_db !== undefined && `${dynamics.range_db.toFixed(1)} dB of range`;
    rows.push(["Loudness", `${dynamics.marking}, ${dynamics.course || "steady"}`, [range]]);
  }
  if (contour?.confidence !== undefined) {
    rows.push(["Melody", contour.single_voice ? "one voice" : "several voices", [sure(contour.confidence)]]);
  }
  return rows;
}

const signed = (value = 0) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;

function renderFact([name, value, notes]) {
  return make("div", { className: "fact" }, [
    make("dt", {}, [name]),
    make("dd", {}, [value, make("span", { className: "fact__note" }, [notes.filter(Boolean).join(" · ")])]),
  ]);
}

function renderChord({ start, end, symbol, roman_numeral: numeral }, seconds) {
  const item = make("li", { className: "chord" }, [
    make("span", { className: "chord__symbol" }, [symbol || "–"]),
    make("span", { className: "chord__numeral" }, [numeral || ""]),
  ]);
  item.style.setProperty("--share", String(seconds > 0 ? (end - (start ?? 0)) / seconds : 1));
  item.title = `${(start ?? 0).toFixed(1)} to ${end.toFixed(1)} s`;
  return item;
}

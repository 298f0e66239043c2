// A melody in ABC notation: drawn as notes by abcjs, played by this browser.

const ABCJS = "/static/vendor/abcjs-basic-min.js";
const SEMITONE = 2 ** (1 / 12);
const A4_HZ = 440;
const A4_PITCH = 69;
const LOUDNESS = 0.16;
const WIDEST_PIXELS = 1000;
const NARROWEST_PIXELS = 240;
const MARGIN_PIXELS = 24;
const BAR_PIXELS = 190;
const MISFIT = 0.25;
const FADE_SECONDS = 0.04;

let loading = null;

export class Score {
  constructor(panel, { onPlay }) {
    Object.assign(this, { panel, onPlay });
    this.part = (name) => panel.querySelector(`.score__${name}`);
    this.notes = [];
    this.context = null;
    this.part("play").addEventListener("click", () => (this.context ? this.pause() : this.play()));
    addEventListener("resize", () => this.isMisfit && this.draw());
  }

  /** Whether the notes were drawn for another width, as before a phone was turned. */
  get isMisfit() {
    const { clientWidth: width } = this.panel;
    return width > 0 && Math.abs(width / this.drawnWidth - 1) > MISFIT;
  }

  async show(abc, name) {
    this.pause();
    this.panel.hidden = abc.trim() === "";
    if (this.panel.hidden) return;
    this.part("text").textContent = abc;
    URL.revokeObjectURL(this.address);
    this.address = URL.createObjectURL(new Blob([abc], { type: "text/vnd.abc" }));
    Object.assign(this.part("download"), { href: this.address, download: `${name.replace(/\.[^.]*$/, "")}.abc` });
    Object.assign(this, { abc, name });
    this.abcjs = await loaded();
    this.notes = notesOf(this.draw());
    this.part("play").hidden = this.notes.length === 0;
  }

  /** Draws the notes for the width that there is; returns the tune. */
  draw() {
    const notes = this.part("notes");
    this.drawnWidth = this.panel.clientWidth;
    const [tune] = withoutStyles(() => this.abcjs.renderAbc(notes, this.abc, optionsFor(this.drawnWidth)));
    const drawing = notes.querySelector("svg");
    drawing?.setAttribute("role", "img");
    drawing?.setAttribute("aria-label", `The melody of ${this.name} as notes`);
    return tune;
  }

  play() {
    this.onPlay(this);
    const context = new AudioContext();
    this.context = context;
    const start = context.currentTime + 0.1;
    let end = 0;
    for (const { pitch, at, seconds } of this.notes) {
      tone(context, A4_HZ * SEMITONE ** (pitch - A4_PITCH), start + at, seconds);
      end = Math.max(end, at + seconds);
    }
    this.ending = setTimeout(() => this.pause(), (end + 0.4) * 1000);
    this.part("play").textContent = "Stop the notes";
  }

  pause() {
    clearTimeout(this.ending);
    this.context?.close();
    this.context = null;
    this.part("play").textContent = "Play the notes";
  }
}

/**
 * Lets abcjs draw without the style element that it adds, which is only for editing and which the page's security
 * policy refuses.
 */
function withoutStyles(draw) {
  const { createElementNS } = document;
  document.createElementNS = (namespace, name) =>
    createElementNS.call(document, namespace, name === "style" ? "metadata" : name);
  try {
    return draw();
  } finally {
    delete document.createElementNS;
  }
}

/** Fits the bars of a line to the width that there is. */
function optionsFor(widthPixels) {
  const width = Math.min(WIDEST_PIXELS, Math.max(NARROWEST_PIXELS, widthPixels - 2 * MARGIN_PIXELS));
  return {
    staffwidth: width,
    wrap: { minSpacing: 1.6, maxSpacing: 2.8, preferredMeasuresPerLine: Math.max(1, Math.round(width / BAR_PIXELS)) },
    responsive: "resize",
    selectTypes: false,
  };
}

function tone(context, frequency, at, seconds) {
  const oscillator = new OscillatorNode(context, { type: "triangle", frequency });
  const gain = new GainNode(context, { gain: 0 });
  gain.gain.setValueAtTime(0, at);
  gain.gain.linearRampToValueAtTime(LOUDNESS, at + FADE_SECONDS / 2);
  gain.gain.setValueAtTime(LOUDNESS, Math.max(at + FADE_SECONDS / 2, at + seconds - FADE_SECONDS));
  gain.gain.linearRampToValueAtTime(0, at + seconds);
  oscillator.connect(gain).connect(context.destination);
  oscillator.start(at);
  oscillator.stop(at + seconds);
}

/** Returns `{pitch, at, seconds}` of each note of a tune, pitches as in MIDI. */
function notesOf(tune) {
  const { tracks = [], tempo = 120 } = tune.setUpAudio?.() ?? {};
  const wholeSeconds = 240 / tempo; // abcjs counts in whole notes.
  return tracks
    .flat()
    .filter(({ cmd }) => cmd === "note")
    .map(({ pitch, start, duration }) => ({ pitch, at: start * wholeSeconds, seconds: Math.max(0.05, duration * wholeSeconds) }));
}

/** Fetches abcjs once. (It is no module, hence the script element.) */
function loaded() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = ABCJS;
    script.addEventListener("load", () => resolve(globalThis.ABCJS));
    script.addEventListener("error", () => {
      loading = null;
      reject(new Error("The notes cannot be drawn: a file of the page cannot be fetched. Try again."));
    });
    document.head.append(script);
  });
  return loading;
}

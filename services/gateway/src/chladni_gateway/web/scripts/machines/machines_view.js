// Machine listening: whether a machine sounds as it should, how that develops, and what is normal for it.

import { createNormalSet, deleteNormalSet, fetchNormalSets, scoreAnomaly } from "../api/gateway.js";
import { announce } from "../ui/announcer.js";
import { make } from "../ui/elements.js";
import { formatNumber, formatSeconds } from "../ui/format.js";
import { ClipInput } from "../input/clip_input.js";
import { cutOut } from "../input/waveform.js";
import { drawTrend, Trend } from "./trend.js";

const CUT_POINTS = { maintenance: 9, severe: 15 };
const GAUGE_TOP = 30;
const ENOUGH_SECONDS = 60;
const TO_LEARN = ["gearbox_healthy.mp3"];
const TO_JUDGE = [...TO_LEARN, "gearbox_faulty.mp3"];
const LEVELS = { NORMAL: "high", "NEEDS MAINTENANCE": "medium", "SEVERE ANOMALY": "low" };
const WORDS = { NORMAL: "Sounds as it should", "NEEDS MAINTENANCE": "Needs maintenance", "SEVERE ANOMALY": "Severe anomaly" };

export class MachinesView {
  constructor(section, { limits, partChooser, onError, onRefusal, onNote }) {
    Object.assign(this, { section, onError, onNote });
    this.part = (id) => section.querySelector(`#machines-${id}`);
    this.trend = new Trend();
    this.sets = [];
    this.asked = 0;
    const parts = { limits, partChooser, onRefusal };
    new ClipInput(this.part("judge"), { ...parts, samples: TO_JUDGE, onFiles: (files) => this.judge(files) });
    new ClipInput(this.part("enrol"), { ...parts, samples: TO_LEARN, onFiles: (files) => this.collect(files).catch(onError) });
    this.normal = [];
    this.part("machine").addEventListener("change", () => {
      this.askToForget("");
      this.showTrend();
    });
    this.part("forget").addEventListener("click", () => this.forget().catch(onError));
    this.part("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.enrol().catch(onError);
    });
  }

  /** Fetches what machines the server knows. */
  async load(chosen = this.machine) {
    this.sets = await fetchNormalSets();
    this.part("machine").replaceChildren(
      ...this.sets.map(({ name, description }) => make("option", { value: name }, [description ? `${name}, ${description}` : name])),
    );
    if (this.sets.some(({ name }) => name === chosen)) this.part("machine").value = chosen;
    const isEmpty = this.sets.length === 0;
    this.part("judge").hidden = isEmpty;
    this.part("none").hidden = !isEmpty;
    if (isEmpty) this.part("enrol").open = true;
    this.showTrend();
  }

  get machine() {
    return this.part("machine").value;
  }

  async judge(files) {
    for (const { file, part } of files) {
      const asked = (this.asked += 1);
      this.part("wait").textContent = `Listening to ${file.name} …`;
      this.part("wait").hidden = false;
      try {
        const judgement = await scoreAnomaly(file, { normal_set: this.machine, with_error_map: true, ...part });
        this.trend.add(judgement.normal_set, { name: file.name, score: judgement.score, result: judgement.result });
        if (asked === this.asked) this.show(file, judgement);
        else this.showTrend();
      } catch (error) {
        this.onError(error);
      } finally {
        if (asked === this.asked) this.part("wait").hidden = true;
      }
    }
  }

  show(file, { result, score, percentile, attributes, error_map: map, window_count: windows }) {
    this.part("result").hidden = false;
    this.part("result").dataset.level = LEVELS[result] ?? "medium";
    this.part("name").textContent = file.name;
    this.part("label").textContent = WORDS[result] ?? result;
    const gauge = this.part("gauge");
    gauge.style.setProperty("--score", String(Math.min(1, Math.max(0, score / GAUGE_TOP))));
    gauge.setAttribute("aria-valuenow", score.toFixed(1));
    gauge.setAttribute("aria-valuetext", `${score.toFixed(1)}: ${WORDS[result] ?? result}`);
    const nearer = `${Math.round(percentile)} % of its normal sound is nearer to normal`;
    this.part("score").textContent =
      `Score ${score.toFixed(1)} (below ${CUT_POINTS.maintenance} is normal, from ${CUT_POINTS.severe} on severe); ${nearer}; ${formatNumber(windows, "window")}.`;
    this.part("map").src = map ?? "";
    this.part("map-figure").hidden = !map;
    this.part("changes").replaceChildren(...attributes.map(renderChange));
    this.part("changes-title").textContent = attributes.length > 0 ? "What changed" : "Nothing stands out";
    this.showTrend();
    announce(`${file.name}: ${WORDS[result] ?? result}, score ${score.toFixed(1)}.`);
  }

  showTrend() {
    const points = this.trend.of(this.machine);
    this.part("trend-figure").hidden = points.length < 2;
    if (points.length < 2) return;
    drawTrend(this.part("trend"), points, CUT_POINTS);
    this.part("trend-list").replaceChildren(
      ...points.map(({ time, name, score, result }) =>
        make("tr", {}, [
          make("td", {}, [new Date(time).toLocaleString()]),
          make("td", {}, [name]),
          make("td", {}, [score.toFixed(1)]),
          make("td", {}, [WORDS[result] ?? result]),
        ]),
      ),
    );
  }

  async collect(files) {
    for (const { file, part } of files) {
      const { start_seconds: start, end_seconds: end } = part;
      if (end === undefined) this.normal.push({ file, seconds: await secondsOf(file) });
      // Several files go in one form, whose fields cannot say a part of each.
      else this.normal.push({ file: await cutOut(file, { start, end }), seconds: end - start });
    }
    this.showCollected();
  }

  showCollected() {
    const seconds = this.normal.reduce((sum, clip) => sum + (clip.seconds || 0), 0);
    this.part("collected").textContent =
      this.normal.length === 0
        ? "Choose recordings of the machine while it is well: about a minute together, in parts of at most 30 s."
        : `${formatNumber(this.normal.length, "recording")}, ${formatSeconds(seconds)}${seconds < ENOUGH_SECONDS ? "; a minute is better" : ""}.`;
    this.part("learn").disabled = this.normal.length === 0;
  }

  async enrol() {
    const name = this.part("new-name").value.trim();
    this.part("learn").disabled = true;
    try {
      const fields = { name, description: this.part("new-description").value.trim() };
      const made = await createNormalSet(this.normal.map(({ file }) => file), fields);
      this.normal = [];
      this.part("form").reset();
      this.part("enrol").open = false;
      this.onNote(`${made.name} is known: ${formatSeconds(made.audio_seconds)} of normal sound.`);
      await this.load(made.name);
    } finally {
      this.showCollected();
    }
  }

  /** Lets the next click forget a machine, of all machines only that one; "" for none. */
  askToForget(name) {
    this.part("forget").dataset.sure = name;
    this.part("forget").textContent = name ? `Forget ${name} for good?` : "Forget this machine";
  }

  async forget() {
    const name = this.machine;
    if (this.part("forget").dataset.sure !== name) {
      this.askToForget(name);
      return;
    }
    this.askToForget("");
    await deleteNormalSet(name);
    this.trend.drop(name);
    this.part("result").hidden = true;
    await this.load();
  }
}

function renderChange({ description, z_score: z }) {
  const item = make("li", { className: "change" }, [
    make("span", {}, [description]),
    make("span", { className: "change__z" }, [`${z < 0 ? "−" : "+"}${Math.abs(z).toFixed(1)} σ`]),
  ]);
  return item;
}

async function secondsOf(file) {
  try {
    return (await new OfflineAudioContext(1, 1, 8000).decodeAudioData(await file.arrayBuffer())).duration;
  } catch {
    return 0;
  }
}

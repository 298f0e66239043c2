// Numbers as people read them.

const SHORT_UNITS = { semitones: "st" };

export function formatSeconds(seconds) {
  const whole = Math.round(seconds);
  if (whole >= 60) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Number(seconds.toFixed(seconds < 10 ? 1 : 0))} s`;
}

/** A long time: "24 hours", "7 days". */
export function formatLong(seconds) {
  const hours = seconds / 3600;
  if (hours < 1.5) return formatNumber(Math.max(1, Math.round(seconds / 60)), "minute");
  return hours < 48 ? formatNumber(Math.round(hours), "hour") : formatNumber(Math.round(hours / 24), "day");
}

/** A time that may be too short for seconds: "4 ms", never "0 s". */
export function formatShortTime(seconds) {
  return seconds < 0.095 ? `${Number((seconds * 1000).toPrecision(2))} ms` : formatSeconds(seconds);
}

/** A number and its noun: "1 step", "8 steps". */
export const formatNumber = (count, noun) => `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;

/** As clocks show it: 0:07. */
export function formatClock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export function formatBytes(bytes) {
  const mebibytes = bytes / 2 ** 20;
  return mebibytes >= 1
    ? `${Number(mebibytes.toFixed(1))} MB`
    : `${Math.max(1, Math.round(bytes / 1024))} kB`;
}

export function formatCount(count) {
  return count.toLocaleString("en");
}

/** How long from now: "in 23 hours". */
export function formatUntil(time) {
  const minutes = Math.round((Date.parse(time) - Date.now()) / 60_000);
  const format = new Intl.RelativeTimeFormat("en");
  if (Math.abs(minutes) < 90) return format.format(minutes, "minute");
  const hours = Math.round(minutes / 60);
  return Math.abs(hours) < 48 ? format.format(hours, "hour") : format.format(Math.round(hours / 24), "day");
}

export function describeLimits({
  audio_formats: formats,
  max_audio_bytes: maxBytes,
  min_audio_duration_seconds: shortest,
  max_audio_duration_seconds: longest,
}) {
  const names = `${formats.slice(0, -1).join(", ")} or ${formats.at(-1)}`;
  return `${names} · ${formatSeconds(shortest)} to ${formatSeconds(longest)} · up to ${formatBytes(maxBytes)} each`;
}

export function humanName(name) {
  return name.replaceAll("_", " ");
}

/** `isAbsent`: the sound has none of it, such as a pitch. */
export function describeDescriptor({ value, unit }, { isAbsent = false } = {}) {
  if (isAbsent) return "none";
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  const number = value.toFixed(digits);
  return unit === "1" || unit === "" ? number : `${number} ${SHORT_UNITS[unit] ?? unit}`;
}

/** How an image was made, in short; a line breaks between facts, not in them. */
export function describeImage(image) {
  const { steps, guidance_scale: guidance } = image.provenance;
  const facts = [`drawn in ${formatSeconds(image.processing_time)}`, `seed ${image.seed}`, formatNumber(steps, "step")];
  facts.push(`guidance ${Number(guidance.toFixed(2))}`);
  if (image.reused) facts.push("drawn before");
  if (image.provenance.fallback) facts.push("by another way");
  return facts.map((fact) => fact.replaceAll(" ", "\u00a0")).join(" · ");
}

// Numbers as people read them.

export function formatSeconds(seconds) {
  if (seconds >= 60) {
    return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  }
  return `${Number(seconds.toFixed(seconds < 10 ? 1 : 0))} s`;
}

export function formatBytes(bytes) {
  const mebibytes = bytes / 2 ** 20;
  return mebibytes >= 1 ? `${Number(mebibytes.toFixed(1))} MB` : `${Math.max(1, Math.round(bytes / 1024))} kB`;
}

export function describeLimits({ formats, max_file_bytes: maxBytes, duration_seconds: range }) {
  const names = `${formats.slice(0, -1).join(", ")} or ${formats.at(-1)}`;
  return `${names} · ${formatSeconds(range.minimum)} to ${formatSeconds(range.maximum)} · up to ${formatBytes(maxBytes)}`;
}

export function humanName(name) {
  return name.replaceAll("_", " ");
}

export function describeDescriptor({ value, unit }) {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  const number = value.toFixed(digits);
  return unit === "1" || unit === "" ? number : `${number} ${unit}`;
}

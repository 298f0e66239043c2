// A ZIP archive of files that are compressed already, so that none of them is packed again.

const LOCAL_HEADER = 0x04034b50;
const CENTRAL_HEADER = 0x02014b50;
const END = 0x06054b50;
const VERSION = 20;
const UTF8_NAMES = 0x0800;
const MOST_BYTES = 0xffffffff - 2 ** 24; // The format counts with 32 bits; the directory comes at the end.
const MOST_FILES = 0xffff;

/** Returns an archive of `{name, content}`, of a name and a Blob; the names are made different from each other. */
export async function zipped(files) {
  const parts = [];
  const directory = [];
  let offset = 0;
  const names = new Set();
  for (const { name, content } of files) {
    const path = new TextEncoder().encode(unique(name, names));
    const { size } = content;
    const facts = { path, size, crc: crcOf(new Uint8Array(await content.arrayBuffer())), offset };
    const header = headerOf(facts);
    // The content itself, not its bytes: a browser keeps it on disk, and one file at a time is in memory.
    parts.push(header, path, content);
    offset += header.byteLength + path.length + size;
    directory.push(facts);
    if (offset > MOST_BYTES || directory.length > MOST_FILES) {
      throw new Error("All of this is too much for one archive. Download some figures one by one, and delete them.");
    }
  }
  const start = offset;
  for (const facts of directory) {
    const header = centralHeaderOf(facts);
    parts.push(header, facts.path);
    offset += header.byteLength + facts.path.length;
  }
  parts.push(endOf(directory.length, start, offset - start));
  return new Blob(parts, { type: "application/zip" });
}

function unique(name, names) {
  const safe = name.replaceAll(/[\\/:*?"<>|]|\p{Cc}/gu, "_") || "file";
  const [, stem, suffix] = safe.match(/^(.*?)(\.[^.]*)?$/s);
  let path = safe;
  for (let count = 2; names.has(path); count += 1) path = `${stem} (${count})${suffix ?? ""}`;
  names.add(path);
  return path;
}

function headerOf({ path, size, crc }) {
  const view = new DataView(new ArrayBuffer(30));
  view.setUint32(0, LOCAL_HEADER, true);
  view.setUint16(4, VERSION, true);
  view.setUint16(6, UTF8_NAMES, true);
  view.setUint16(12, 0x21, true); // 1 January 1980, the first date of the format.
  view.setUint32(14, crc, true);
  view.setUint32(18, size, true);
  view.setUint32(22, size, true);
  view.setUint16(26, path.length, true);
  return view.buffer;
}

function centralHeaderOf({ path, size, crc, offset }) {
  const view = new DataView(new ArrayBuffer(46));
  view.setUint32(0, CENTRAL_HEADER, true);
  view.setUint16(4, VERSION, true);
  view.setUint16(6, VERSION, true);
  view.setUint16(8, UTF8_NAMES, true);
  view.setUint16(14, 0x21, true);
  view.setUint32(16, crc, true);
  view.setUint32(20, size, true);
  view.setUint32(24, size, true);
  view.setUint16(28, path.length, true);
  view.setUint32(42, offset, true);
  return view.buffer;
}

function endOf(count, start, size) {
  const view = new DataView(new ArrayBuffer(22));
  view.setUint32(0, END, true);
  view.setUint16(8, count, true);
  view.setUint16(10, count, true);
  view.setUint32(12, size, true);
  view.setUint32(16, start, true);
  return view.buffer;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crcOf(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xff];
  return (crc ^ 0xffffffff) >>> 0;
}

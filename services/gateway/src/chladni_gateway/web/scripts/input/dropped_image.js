// An image that was made by Chladni and is dropped on the page: its file says with which settings.

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const KEYWORD = "chladni";
const MAX_BYTES = 32 * 2 ** 20;
const MAX_TEXT_LENGTH = 2000; // Of what the fields of the form take.

/** Returns the provenance in a PNG file, of which only plain values are taken; null if it holds none. */
export async function provenanceIn(file) {
  if (file.size > MAX_BYTES) return null;
  const data = new DataView(await file.arrayBuffer());
  if (!SIGNATURE.every((byte, index) => index < data.byteLength && data.getUint8(index) === byte)) return null;
  for (let at = SIGNATURE.length; at + 12 <= data.byteLength; ) {
    const length = data.getUint32(at);
    const end = at + 8 + length;
    if (end > data.byteLength) return null;
    const text = textOf(letters(data, at + 4, 4), new Uint8Array(data.buffer, at + 8, length));
    if (text !== null) return parsed(text);
    at = end + 4;
  }
  return null;
}

/** Returns the text of a chunk if it is plain and bears the keyword, or null. */
function textOf(kind, content) {
  if (kind !== "iTXt" && kind !== "tEXt") return null;
  const keywordEnd = content.indexOf(0);
  const decoder = new TextDecoder();
  if (decoder.decode(content.subarray(0, keywordEnd)) !== KEYWORD) return null;
  if (kind === "tEXt") return decoder.decode(content.subarray(keywordEnd + 1));
  if (content[keywordEnd + 1] !== 0) return null; // Compressed, which Chladni never does.
  const languageEnd = content.indexOf(0, keywordEnd + 3);
  const translationEnd = content.indexOf(0, languageEnd + 1);
  return decoder.decode(content.subarray(translationEnd + 1));
}

function parsed(text) {
  try {
    const provenance = JSON.parse(text);
    if (!isObject(provenance) || !("seed" in provenance)) return null;
    const { earlier, recipe_options: options } = provenance;
    return {
      ...plain(provenance),
      earlier: Array.isArray(earlier) ? earlier.filter(isObject).map(plain) : [],
      recipe_options: isObject(options) ? plain(options) : {},
    };
  } catch {
    return null;
  }
}

const isObject = (value) => typeof value === "object" && value !== null;

/** Returns the numbers, truths and short texts of an object: anybody may have written the file. */
function plain(object) {
  const isPlain = (value) =>
    typeof value === "number" || typeof value === "boolean" || (typeof value === "string" && value.length <= MAX_TEXT_LENGTH);
  return Object.fromEntries(Object.entries(object).filter(([, value]) => isPlain(value)));
}

const letters = (data, at, count) =>
  String.fromCharCode(...Array.from({ length: count }, (_, index) => data.getUint8(at + index)));

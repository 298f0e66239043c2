// WAV files.

const HEADER_BYTES = 44;
const PCM = 1;

/** Returns 16-bit little-endian samples of floats in [-1, 1]. */
export function toPcm16(samples) {
  const pcm = new DataView(new ArrayBuffer(samples.length * 2));
  samples.forEach((sample, index) => {
    pcm.setInt16(index * 2, Math.round(Math.min(1, Math.max(-1, sample)) * 32767), true);
  });
  return pcm.buffer;
}

/** Returns a mono WAV file of blocks of samples. */
export function wavFile(blocks, sampleRateHz, name) {
  const pcm = blocks.map(toPcm16);
  const size = pcm.reduce((sum, block) => sum + block.byteLength, 0);
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  const text = (offset, value) =>
    [...value].forEach((letter, i) => header.setUint8(offset + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  header.setUint32(4, HEADER_BYTES - 8 + size, true);
  text(8, "WAVEfmt ");
  header.setUint32(16, 16, true);
  header.setUint16(20, PCM, true);
  header.setUint16(22, 1, true); // Channels.
  header.setUint32(24, sampleRateHz, true);
  header.setUint32(28, sampleRateHz * 2, true); // Bytes a second.
  header.setUint16(32, 2, true); // Bytes a frame.
  header.setUint16(34, 16, true); // Bits a sample.
  text(36, "data");
  header.setUint32(40, size, true);
  return new File([header, ...pcm], name, { type: "audio/wav" });
}

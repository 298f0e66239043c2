// The microphone, as a stream of samples.

import { prepareTap, tap, tapUnavailableReason } from "./sample_tap.js";

// What makes speech clearer on telephones changes the sound that becomes an image.
const UNPROCESSED = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };

const REASONS = {
  NotAllowedError: "The browser may not use the microphone. Allow it beside the address, then try again.",
  NotFoundError: "No microphone was found. Connect one, or drop a file.",
  NotReadableError: "Another program holds the microphone. Close it there, then try again.",
};

/** Returns why no microphone can be used here; an empty string if one can. */
export function microphoneUnavailableReason() {
  if (!window.isSecureContext) return tapUnavailableReason();
  if (!navigator.mediaDevices?.getUserMedia || tapUnavailableReason() !== "") return "this browser offers no microphone";
  return "";
}

export class Microphone {
  /** Opens it; `onSamples` gets mono blocks. Throws an Error for people. */
  static async open(onSamples) {
    const microphone = new Microphone();
    try {
      microphone.stream = await navigator.mediaDevices.getUserMedia({ audio: UNPROCESSED });
      microphone.context = new AudioContext();
      await prepareTap(microphone.context);
      await microphone.context.resume();
      const source = microphone.context.createMediaStreamSource(microphone.stream);
      microphone.analyser = tap(microphone.context, source, onSamples);
      return microphone;
    } catch (error) {
      microphone.close();
      throw new Error(REASONS[error.name] ?? "The microphone cannot be used. Check it, then try again.", {
        cause: error,
      });
    }
  }

  get sampleRateHz() {
    return this.context.sampleRate;
  }

  close() {
    this.stream?.getTracks().forEach((track) => track.stop());
    if (this.context?.state !== "closed") this.context?.close();
  }
}

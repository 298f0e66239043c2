// The microphone, as a stream of samples.

const TAP = "/static/scripts/pcm_tap.js";
// Whatever makes speech clearer for telephones changes the sound that is to be drawn.
const AS_IT_IS = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };

const REASONS = {
  NotAllowedError: "The browser may not use the microphone. Allow it beside the address, then try again.",
  NotFoundError: "No microphone was found. Connect one, or drop a file.",
  NotReadableError: "Another program holds the microphone. Close it there, then try again.",
};

/** Returns why no microphone can be used here at all; an empty string where one may. */
export function microphoneObstacle() {
  if (!window.isSecureContext) return "needs https, or this page on localhost";
  if (!navigator.mediaDevices?.getUserMedia || !window.AudioWorkletNode)
    return "this browser offers no microphone";
  return "";
}

export class Microphone {
  /** Opens it; `onSamples` gets mono blocks. Throws an Error for people. */
  static async open(onSamples) {
    const microphone = new Microphone();
    try {
      microphone.stream = await navigator.mediaDevices.getUserMedia({ audio: AS_IT_IS });
      microphone.context = new AudioContext();
      await microphone.context.audioWorklet.addModule(TAP);
      await microphone.context.resume();
      microphone.connect(onSamples);
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

  connect(onSamples) {
    const source = this.context.createMediaStreamSource(this.stream);
    this.analyser = new AnalyserNode(this.context, { fftSize: 2048, smoothingTimeConstant: 0.4 });
    const tap = new AudioWorkletNode(this.context, "pcm-tap", { numberOfOutputs: 1 });
    tap.port.onmessage = ({ data }) => onSamples(data);
    source.connect(this.analyser);
    // A node that leads nowhere is not processed; this one leads to silence.
    const silence = new GainNode(this.context, { gain: 0 });
    source.connect(tap).connect(silence).connect(this.context.destination);
  }

  close() {
    this.stream?.getTracks().forEach((track) => track.stop());
    if (this.context?.state !== "closed") this.context?.close();
  }
}

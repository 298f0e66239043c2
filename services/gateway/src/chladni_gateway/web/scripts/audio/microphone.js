// The microphone, as a stream of samples.

const WORKLET = "/static/scripts/audio/pcm_worklet.js";
// What makes speech clearer on telephones changes the sound that becomes an image.
const UNPROCESSED = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };

const REASONS = {
  NotAllowedError: "The browser may not use the microphone. Allow it beside the address, then try again.",
  NotFoundError: "No microphone was found. Connect one, or drop a file.",
  NotReadableError: "Another program holds the microphone. Close it there, then try again.",
};

/** Returns why no microphone can be used here; an empty string if one can. */
export function microphoneUnavailableReason() {
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
      microphone.stream = await navigator.mediaDevices.getUserMedia({ audio: UNPROCESSED });
      microphone.context = new AudioContext();
      await microphone.context.audioWorklet.addModule(WORKLET);
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
    const worklet = new AudioWorkletNode(this.context, "pcm-worklet", { numberOfOutputs: 1 });
    worklet.port.onmessage = ({ data }) => onSamples(data);
    source.connect(this.analyser);
    // A node that leads nowhere is not processed; this one leads to silence.
    const silence = new GainNode(this.context, { gain: 0 });
    source.connect(worklet).connect(silence).connect(this.context.destination);
  }

  close() {
    this.stream?.getTracks().forEach((track) => track.stop());
    if (this.context?.state !== "closed") this.context?.close();
  }
}

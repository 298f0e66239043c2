// An audio file that is played, as a stream of samples like that of the microphone.

import { prepareTap, tap } from "./sample_tap.js";

const RATE_HZ = 48000; // The highest that the server takes live.

export class PlayedFile {
  /**
   * Begins to play a file; `onSamples` gets mono blocks, `onEnded` is called when it ends or is paused.
   * Throws an Error for people.
   */
  static async open(file, onSamples, { onEnded }) {
    const played = new PlayedFile();
    played.address = URL.createObjectURL(file);
    played.audio = new Audio(played.address);
    try {
      played.context = new AudioContext({ sampleRate: RATE_HZ });
      await prepareTap(played.context);
      await played.context.resume();
      const source = played.context.createMediaElementSource(played.audio);
      played.analyser = tap(played.context, source, onSamples);
      source.connect(played.context.destination); // Others play into the room; a file is to be heard, too.
      await played.audio.play();
      played.onEnded = onEnded;
      played.audio.addEventListener("pause", onEnded, { once: true });
      return played;
    } catch (error) {
      played.close();
      throw new Error(`This browser cannot play ${file.name}. Export it as MP3, WAV or FLAC.`, { cause: error });
    }
  }

  get sampleRateHz() {
    return this.context.sampleRate;
  }

  /** Where it is, in seconds. */
  get time() {
    return this.audio.currentTime;
  }

  /** Its length in seconds; infinite if its header does not say it. */
  get duration() {
    return this.audio.duration;
  }

  pause() {
    this.audio.pause();
  }

  /** Ends it, of which nothing more is said: the browser would say so late, perhaps while another one plays. */
  close() {
    this.audio.removeEventListener("pause", this.onEnded);
    this.audio.pause();
    this.audio.removeAttribute("src");
    URL.revokeObjectURL(this.address);
    if (this.context?.state !== "closed") this.context?.close();
  }
}

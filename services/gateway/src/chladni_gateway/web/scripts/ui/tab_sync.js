// Tells other tabs of this session what changed.

const CHANNEL = "chladni";

export class TabSync {
  /** `onNews` gets `{kind, imageId}`; the kinds are jobs, images and clip. */
  constructor(onNews) {
    this.channel = "BroadcastChannel" in window ? new BroadcastChannel(CHANNEL) : null;
    if (this.channel) this.channel.onmessage = ({ data }) => onNews(data);
  }

  send(kind, imageId = null) {
    this.channel?.postMessage({ kind, imageId });
  }
}

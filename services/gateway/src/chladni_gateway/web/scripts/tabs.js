// Other tabs of this session, which are told what changed.

const CHANNEL = "chladni";

export class Tabs {
  /** `onNews` gets `{kind, imageId}`; the kinds are jobs, images and clip. */
  constructor(onNews) {
    this.channel = "BroadcastChannel" in window ? new BroadcastChannel(CHANNEL) : null;
    if (this.channel) this.channel.onmessage = ({ data }) => onNews(data);
  }

  tell(kind, imageId = null) {
    this.channel?.postMessage({ kind, imageId });
  }
}

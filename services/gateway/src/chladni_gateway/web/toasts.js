// Short messages about what went wrong and what to do.

const SHOWN_MS = 12000;
const MOST = 4;

export class Toasts {
  constructor(area, template) {
    this.area = area;
    this.template = template;
  }

  show(text) {
    const toast = this.template.content.cloneNode(true).firstElementChild;
    toast.querySelector(".toast__text").textContent = text;
    const remove = () => toast.remove();
    toast.querySelector("button").addEventListener("click", remove);
    setTimeout(remove, SHOWN_MS);
    this.area.append(toast);
    while (this.area.children.length > MOST) this.area.firstElementChild.remove();
  }
}

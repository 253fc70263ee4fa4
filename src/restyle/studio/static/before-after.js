// A result over its photograph: a divider to draw across, zoom to single pixels, and pan. Both move as one.

class BeforeAfter extends HTMLElement {
  connectedCallback() {
    if (this.canvas) return; // it was only moved
    this.canvas = this.querySelector("[data-canvas]");
    this.after = this.querySelector("img.after");
    this.before = this.querySelector(".before img");
    this.divider = this.querySelector("[data-divider]");
    this.slider = this.querySelector("[data-slider]");
    const start = () => this.start();
    if (this.after.complete && this.after.naturalWidth) start();
    else this.after.addEventListener("load", start, { once: true });
    this.slider?.addEventListener("input", () => this.split());
    this.addEventListener("click", (event) => {
      const how = event.target.closest("[data-zoom]")?.dataset.zoom;
      if (how) this.zoom(how);
    });
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.divider?.addEventListener("pointerdown", (event) => this.draw(event));
    this.split();
  }

  start() {
    if (this.panzoom || !this.isConnected) return;
    this.panzoom = window.Panzoom(this.after, { maxScale: 16, minScale: 1, contain: "outside", canvas: true, cursor: "grab", excludeClass: "divider", panOnlyWhenZoomed: true });
    this.after.addEventListener("panzoomchange", (event) => {
      const { x, y, scale } = event.detail;
      if (this.before) this.before.style.transform = `scale(${scale}) translate(${x}px, ${y}px)`;
      this.canvas.classList.toggle("zoomed", scale > 1.01);
    });
    this.wheel = (event) => { if (event.ctrlKey || event.metaKey || this.canvas.classList.contains("zoomed")) this.panzoom.zoomWithWheel(event); };
    this.canvas.addEventListener("wheel", this.wheel, { passive: false });
  }

  split() {
    if (!this.slider) return;
    const part = Number(this.slider.value);
    this.querySelector(".before").style.clipPath = `inset(0 ${100 - part}% 0 0)`;
    this.divider.style.left = `${part}%`;
  }

  /** @param {"in" | "out" | "fit" | "full"} how */
  zoom(how) {
    if (!this.panzoom) return;
    const still = { animate: false }; // it measures the picture to keep it inside, and a moving one measures wrong
    if (how === "in") this.panzoom.zoomIn(still);
    else if (how === "out") this.panzoom.zoomOut(still);
    else if (how === "fit") this.panzoom.reset(still);
    else this.panzoom.zoom(Math.max(1, this.after.naturalWidth / this.after.clientWidth / devicePixelRatio), still);
  }

  key(event) {
    const ways = { "+": "in", "=": "in", "-": "out", 0: "fit", 1: "full" };
    const moves = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] };
    if (event.target !== this.canvas || event.ctrlKey || event.metaKey) return;
    if (ways[event.key]) this.zoom(ways[event.key]);
    else if (moves[event.key] && this.canvas.classList.contains("zoomed")) this.panzoom.pan(...moves[event.key], { relative: true });
    else return;
    event.preventDefault();
  }

  draw(event) {
    event.preventDefault();
    event.stopPropagation();
    this.divider.setPointerCapture(event.pointerId);
    const move = (next) => {
      const box = this.canvas.getBoundingClientRect();
      this.slider.value = String(Math.round(Math.min(100, Math.max(0, ((next.clientX - box.left) / box.width) * 100))));
      this.split();
    };
    this.divider.addEventListener("pointermove", move);
    this.divider.addEventListener("pointerup", () => this.divider.removeEventListener("pointermove", move), { once: true });
  }
}
customElements.define("before-after", BeforeAfter);

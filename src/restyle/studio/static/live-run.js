// Follows a run: a stream while the page is seen, and where that fails, a question every other second. The server keeps
// the state, so nothing is lost by sleep, reload or another tab.

const ASK_SECONDS = 2;

class LiveRun extends HTMLElement {
  connectedCallback() {
    if (!this.dataset.events) return;
    this.seen = () => (document.hidden ? this.rest() : this.follow());
    document.addEventListener("visibilitychange", this.seen);
    this.seen();
  }

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this.seen);
    this.rest();
  }

  follow() {
    if (this.stream || this.timer || this.over) return;
    this.stream = new EventSource(this.dataset.events);
    this.stream.onmessage = (event) => this.hear(JSON.parse(event.data));
    this.stream.onerror = () => {
      this.rest();
      this.ask();
    };
  }

  rest() {
    this.stream?.close();
    clearTimeout(this.timer);
    this.stream = this.timer = null;
  }

  async ask() {
    if (!this.isConnected || this.over) return;
    try {
      const response = await fetch(`${this.dataset.run}/state`, { headers: { Accept: "application/json" } });
      if (response.status === 404 || response.redirected) return location.reload();
      if (response.ok) this.hear(await response.json());
    } catch {
      document.body.classList.add("away"); // the service is away, and will be back
    }
    if (!this.over && this.isConnected && !document.hidden) this.timer = setTimeout(() => { this.timer = null; this.ask(); }, ASK_SECONDS * 1000);
  }

  /** @param {{done: number, failed: number, total: number, progress: number, ended: boolean, items: [number, string, number, number | null][]}} state */
  hear(state) {
    document.body.classList.remove("away");
    const whole = this.querySelector("[data-whole]");
    if (whole) whole.value = state.progress;
    const done = this.querySelector("[data-done]");
    if (done) done.textContent = done.dataset.done.replace("{done}", String(state.done)).replace("{total}", String(state.total));
    for (const [position, name, progress, place] of state.items) this.show(position, name, progress, place, state.ended);
    if (state.ended && !this.over) {
      this.over = true;
      this.rest();
      const query = this.dataset.item && state.total > 1 ? `?item=${this.dataset.item}` : "";
      window.htmx.ajax("GET", `${this.dataset.run}/stage${query}`, { target: "#stage", swap: "morph:innerHTML" });
      document.body.dispatchEvent(new CustomEvent("studio:changed"));
    }
  }

  show(position, name, progress, place, ended) {
    const card = this.querySelector(`#item-${position}`);
    if (!card) return;
    const bar = card.querySelector("progress");
    if (bar) bar.value = progress;
    const says = card.querySelector("[data-says]");
    const words = this.dataset[`says${name}`];
    if (says && place) says.textContent = this.dataset.place.replace("{n}", String(place));
    else if (says && words) says.textContent = words;
    if (card.dataset.state === name || ended) return;
    card.dataset.state = name;
    if (words) return; // it goes on; what it has become is asked for when it has ended
    const view = card.classList.contains("large") ? "?view=large" : "";
    window.htmx.ajax("GET", `${this.dataset.run}/items/${position}${view}`, { target: card, swap: "morph:outerHTML" });
  }
}
customElements.define("live-run", LiveRun);

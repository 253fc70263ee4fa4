// A box for pictures: dropped into it, pasted while the pointer is over it, or chosen. Each is sent as soon as it is
// there, so what is wrong with it is told at once; what stays in the form is its name on the server.

/** @typedef {{id: string, name: string, width: number, height: number, address: string}} Told */

const AT_ONCE = 2;
const MOST_TOLD = 5;

class PictureBox extends HTMLElement {
  connectedCallback() {
    this.addEventListener("change", (event) => {
      if (event.target.type !== "file") return;
      this.take([...event.target.files]);
      event.target.value = "";
    });
    this.addEventListener("dragover", (event) => { event.preventDefault(); this.classList.add("over"); });
    this.addEventListener("dragleave", (event) => { if (!this.contains(event.relatedTarget)) this.classList.remove("over"); });
    this.addEventListener("drop", async (event) => {
      event.preventDefault();
      this.classList.remove("over");
      this.take(await dropped(event.dataTransfer));
    });
    this.addEventListener("click", (event) => {
      if (event.target.closest("[data-remove]")) {
        event.preventDefault();
        event.target.closest(".picked").remove();
        this.settle();
      }
    });
  }

  get many() { return this.hasAttribute("data-many"); }
  get pile() { return this.querySelector(".pile"); }

  /** Send files, and show how they come on. @param {File[]} files */
  async take(files) {
    const pictures = files.filter((file) => file.type.startsWith("image/") || /\.(hei[cf]|avif|tiff?)$/i.test(file.name));
    if (!pictures.length) {
      if (files.length) this.tell(this.dataset.none);
      return;
    }
    this.tell("");
    this.failed = [];
    const chosen = this.many ? pictures : pictures.slice(0, 1);
    if (chosen.length === 1 || !this.many) this.pile.replaceChildren();
    const waiting = chosen.map((file) => ({ file, figure: this.pile.appendChild(this.figure(file)) }));
    this.settle();
    const work = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) await this.send(next.file, next.figure);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    this.settle();
  }

  /** Show pictures that are on the server already. @param {Told[]} told */
  show(told) {
    this.pile.replaceChildren(...told.map((each) => this.settled(document.createElement("figure"), each)));
    this.tell("");
    this.settle();
  }

  /** Show a style of the shelf. */
  showStyle(value, name, address) {
    this.show([{ id: value, name, width: 0, height: 0, address }]);
  }

  figure(file) {
    const figure = document.createElement("figure");
    figure.className = "picked sending";
    const image = document.createElement("img");
    image.alt = file.name;
    image.decoding = "async";
    if (!this.many || this.pile.childElementCount < 12) {
      const url = URL.createObjectURL(file);
      image.addEventListener("load", () => URL.revokeObjectURL(url));
      image.addEventListener("error", () => URL.revokeObjectURL(url));
      image.src = url;
    }
    const progress = document.createElement("progress");
    progress.max = 1;
    progress.value = 0;
    progress.setAttribute("aria-label", file.name);
    figure.append(image, progress);
    return figure;
  }

  /** @returns {Promise<void>} */
  send(file, figure) {
    return new Promise((done) => {
      const request = new XMLHttpRequest();
      request.open("POST", `${this.dataset.url}?name=${encodeURIComponent(file.name)}`);
      request.setRequestHeader("Accept", "application/json");
      request.responseType = "json";
      request.upload.addEventListener("progress", (event) => { figure.querySelector("progress").value = event.loaded / event.total; });
      request.addEventListener("loadend", () => {
        if (request.status === 201) this.settled(figure, request.response);
        else {
          figure.remove();
          this.failed.push(`${file.name}: ${request.response?.error ?? this.dataset.failed}`);
          const names = this.failed.slice(0, MOST_TOLD).join("\n");
          this.tell(this.failed.length === 1 ? names : this.dataset.several.replace("{count}", String(this.failed.length)).replace("{names}", `\n${names}`));
        }
        done();
      });
      request.send(file);
    });
  }

  /** @param {Told} told */
  settled(figure, told) {
    figure.className = "picked";
    const image = document.createElement("img");
    image.src = `${told.address}/thumbnail`;
    image.alt = told.name;
    const caption = document.createElement("figcaption");
    caption.append(told.name);
    if (told.width) caption.append(document.createElement("br"), `${told.width} × ${told.height}`);
    const remove = document.createElement("button");
    remove.type = "button";
    remove.className = "remove";
    remove.dataset.remove = "";
    remove.setAttribute("aria-label", this.dataset.removes.replace("{name}", told.name));
    const value = document.createElement("input");
    value.type = "hidden";
    value.name = this.getAttribute("name");
    value.value = told.id;
    figure.replaceChildren(image, caption, remove, value);
    if (this.dataset.swap) {
      const swap = document.createElement("button");
      swap.type = "button";
      swap.className = "swap";
      swap.dataset.reuse = `${told.address}/reuse`;
      swap.dataset.as = this.dataset.swap;
      swap.setAttribute("aria-label", this.dataset.swaps.replace("{name}", told.name));
      remove.before(swap);
    }
    return figure;
  }

  settle() {
    const count = this.pile.querySelectorAll(".picked").length;
    this.pile.classList.toggle("many", count > 1);
    const line = this.querySelector(".count");
    line.hidden = count < 2;
    line.textContent = line.dataset.count.replace("{count}", String(count));
    if (!this.closest("form").querySelector(".sending")) document.dispatchEvent(new CustomEvent("studio:settled"));
    if (this.getAttribute("name") === "style") {
      const value = this.pile.querySelector("input")?.value;
      document.querySelectorAll("[data-style]").forEach((each) => each.setAttribute("aria-pressed", String(each.dataset.style === value)));
    }
  }

  tell(text) {
    const line = this.querySelector("[data-error]");
    line.hidden = !text;
    line.textContent = text;
    if (!text) {
      this.classList.remove("wrong");
      this.querySelector(".error:not([data-error])")?.remove();
    }
  }
}
customElements.define("picture-box", PictureBox);

document.addEventListener("click", (event) => {
  const style = event.target.closest("[data-style]");
  if (style) document.querySelector("picture-box[name=style]").showStyle(style.dataset.style, style.dataset.name, style.dataset.address);
});

/** The box under the pointer, or the one that has the focus, or the first that is empty. */
let under = null;
document.addEventListener("pointerover", (event) => { under = event.target.closest?.("picture-box") ?? null; });
document.addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  if (!files.length) return;
  const boxes = [...document.querySelectorAll(".convert > .boxes picture-box")];
  const box = under ?? document.activeElement.closest("picture-box") ?? boxes.find((each) => !each.querySelector(".picked")) ?? boxes[0];
  if (box) {
    event.preventDefault();
    box.take(files);
  }
});
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => event.preventDefault());

/** All files of a drop, those of folders too. @param {DataTransfer} transfer */
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const found = [];
  const walk = async (entry) => {
    if (entry.isFile) {
      found.push(await new Promise((done, fail) => entry.file(done, fail)));
      return;
    }
    const reader = entry.createReader();
    for (let batch = await read(reader); batch.length; batch = await read(reader)) for (const each of batch) await walk(each);
  };
  for (const entry of entries) await walk(entry);
  return found;
}

function read(reader) {
  return new Promise((done, fail) => reader.readEntries(done, fail));
}

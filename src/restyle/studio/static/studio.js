// What the pages need of a browser beyond links and forms. Texts come from the pages, so there are none here.
import "./picture-box.js";
import "./before-after.js";
import "./live-run.js";
import "./try-it.js";

/** What can wait until the page is seen does: pictures of the shelf would take the processor from its first painting. */
requestAnimationFrame(() => setTimeout(() => document.documentElement.setAttribute("data-painted", "")));

/** A moment in the time and the spelling of whoever looks. */
customElements.define("local-time", class extends HTMLElement {
  connectedCallback() {
    const moment = new Date(this.getAttribute("datetime"));
    const year = moment.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" };
    const wanted = { ...year, month: "short", day: "numeric", hour: "numeric", minute: "2-digit" };
    this.textContent = new Intl.DateTimeFormat(document.documentElement.lang, wanted).format(moment);
  }
});

document.addEventListener("input", (event) => {
  const range = /** @type {HTMLInputElement} */ (event.target);
  if (range.type === "range") {
    const output = range.closest("label")?.querySelector("output");
    if (output) output.textContent = range.value;
  }
});

/** A box whose pictures are still on their way stays as it is: the server knows only those that have come. */
window.Idiomorph.defaults.callbacks.beforeNodeMorphed = (old) => !(old.localName === "picture-box" && old.querySelector(".sending"));

/** What is asked for waits until its pictures have come. */
document.addEventListener("htmx:confirm", (event) => {
  if (!event.target.matches("form.convert") || !event.target.querySelector(".sending")) return;
  event.preventDefault();
  document.addEventListener("studio:settled", () => event.detail.issueRequest(), { once: true });
});

document.addEventListener("keydown", (event) => {
  const form = document.querySelector("form.convert");
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && form) {
    event.preventDefault();
    form.requestSubmit(form.querySelector("[data-convert]"));
  }
  if (event.key === "Escape") document.querySelectorAll("details.menu[open]").forEach((menu) => {
    menu.open = false;
    if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
  });
});

document.addEventListener("click", async (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  document.querySelectorAll("details.menu[open]").forEach((menu) => {
    if (!menu.contains(target) || target.closest(".strips .sheet button, .more .sheet :is(a, button)")) menu.open = false;
  });
  if (target.closest("[data-dice]")) {
    const seed = document.getElementById("seed");
    seed.value = String(crypto.getRandomValues(new Uint32Array(1))[0] >>> 1);
    document.querySelector("[name=seed_lock]").checked = true;
  }
  const copy = target.closest("[data-copy]");
  if (copy) await copied(copy);
  const reuse = target.closest("[data-reuse]");
  if (reuse) await reused(reuse);
});

document.addEventListener("input", (event) => {
  if (event.target.id === "seed") document.querySelector("[name=seed_lock]").checked = event.target.value !== "";
});

document.addEventListener("studio:accepted", (event) => {
  const seed = document.getElementById("seed");
  if (seed) seed.value = event.detail.seed;
  document.body.dispatchEvent(new CustomEvent("studio:changed"));
  if (matchMedia("(max-width: 60rem)").matches) document.getElementById("stage").scrollIntoView({ block: "start" });
});

for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, () => document.body.classList.add("away"));
}
document.addEventListener("htmx:afterOnLoad", () => document.body.classList.remove("away"));
document.addEventListener("htmx:beforeRequest", () => document.getElementById("notice").replaceChildren());

/** @param {HTMLElement} button whose data-copy goes to the clipboard */
async function copied(button) {
  const text = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea"); // pages of plain HTTP have no clipboard
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  const before = button.textContent;
  button.textContent = button.dataset.copied;
  setTimeout(() => { button.textContent = before; }, 1500);
}

/** A picture that is on the server becomes the photograph or the style. @param {HTMLElement} button */
async function reused(button) {
  button.disabled = true;
  const response = await fetch(button.dataset.reuse, { method: "POST", headers: { Accept: "application/json", "Content-Type": "application/x-www-form-urlencoded" } });
  const told = await response.json();
  button.disabled = false;
  if (!response.ok) {
    const notice = document.createElement("p");
    notice.textContent = told.error;
    document.getElementById("notice").replaceChildren(notice);
    return;
  }
  const box = document.querySelector(`picture-box[name=${button.dataset.as}]`);
  if (box) {
    box.show([told]);
    box.scrollIntoView({ block: "nearest" });
  } else {
    const base = button.dataset.reuse.replace(/\/(results|uploads|styles)\/.*/, "/");
    location.assign(`${base}?${button.dataset.as}=${told.id}`);
  }
}

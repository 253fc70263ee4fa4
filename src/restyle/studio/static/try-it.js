// Signs a request as any program does, and shows each step: names ascending with their values and nothing between, then
// the private key, then SHA-1 in hex. The key is used here and sent nowhere.

class TryIt extends HTMLElement {
  connectedCallback() {
    this.body = this.querySelector("[data-body]");
    this.key = this.querySelector("[data-key]");
    for (const field of [this.body, this.key]) field.addEventListener("input", () => this.sign());
    this.querySelector("[data-send]").addEventListener("click", () => this.send());
    this.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.sign();
  }

  /** The request with its signature; null where the body is no object. */
  sign() {
    const wrong = this.querySelector("[data-wrong]");
    wrong.hidden = true;
    let fields;
    try {
      fields = JSON.parse(this.body.value);
      if (fields === null || typeof fields !== "object" || Array.isArray(fields)) throw new SyntaxError();
    } catch {
      wrong.hidden = false;
      wrong.textContent = this.dataset.broken;
      return null;
    }
    delete fields.Signature;
    const text = textOf(fields);
    this.querySelector("[data-text]").value = text;
    const signature = sha1(new TextEncoder().encode(text + this.key.value.trim()));
    this.querySelector("[data-signature]").value = signature;
    return { ...fields, Signature: signature };
  }

  async send() {
    const signed = this.sign();
    if (!signed) return;
    const answer = this.querySelector("[data-answer]");
    answer.value = this.dataset.busy;
    const began = performance.now();
    try {
      const response = await fetch(this.dataset.endpoint, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(signed), credentials: "omit" });
      answer.value = JSON.stringify(await response.json(), null, 2);
    } catch (error) {
      answer.value = String(error);
    }
    this.querySelector("[data-time]").textContent = `${Math.round(performance.now() - began)} ms`;
  }
}
customElements.define("try-it", TryIt);

/** The text of a value that is signed. @returns {string} */
export function textOf(value) {
  if (value === null) return "";
  if (Array.isArray(value)) return value.map(textOf).join("");
  if (typeof value === "object") return Object.keys(value).sort(byCodePoint).map((name) => name + textOf(value[name])).join("");
  return typeof value === "number" ? plain(value) : String(value);
}

function byCodePoint(one, other) {
  const [left, right] = [[...one], [...other]];
  for (let at = 0; at < Math.min(left.length, right.length); at += 1) {
    const difference = left[at].codePointAt(0) - right[at].codePointAt(0);
    if (difference) return difference;
  }
  return left.length - right.length;
}

/** A number without an exponent. */
function plain(number) {
  const text = String(number);
  const parts = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (!parts) return Object.is(number, -0) ? "0" : text;
  const [, sign, first, rest = "", exponent] = parts;
  const shift = Number(exponent);
  const digits = first + rest;
  return shift < 0 ? `${sign}0.${"0".repeat(-shift - 1)}${digits}` : `${sign}${digits.padEnd(shift + 1, "0")}`;
}

/** SHA-1 (FIPS 180-4) in hex: browsers have their own only where the page came over HTTPS. @param {Uint8Array} data */
export function sha1(data) {
  const words = new Uint32Array((((data.length + 8) >> 6) + 1) * 16);
  data.forEach((byte, at) => { words[at >> 2] |= byte << (24 - (at & 3) * 8); });
  words[data.length >> 2] |= 0x80 << (24 - (data.length & 3) * 8);
  words[words.length - 1] = data.length * 8;
  words[words.length - 2] = Math.floor(data.length / 0x20000000);
  const turn = (word, by) => (word << by) | (word >>> (32 - by));
  const state = new Uint32Array([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0]);
  const schedule = new Uint32Array(80);
  for (let block = 0; block < words.length; block += 16) {
    schedule.set(words.subarray(block, block + 16));
    for (let at = 16; at < 80; at += 1) schedule[at] = turn(schedule[at - 3] ^ schedule[at - 8] ^ schedule[at - 14] ^ schedule[at - 16], 1);
    let [a, b, c, d, e] = state;
    for (let at = 0; at < 80; at += 1) {
      const [f, k] = at < 20 ? [(b & c) | (~b & d), 0x5a827999] : at < 40 ? [b ^ c ^ d, 0x6ed9eba1] : at < 60 ? [(b & c) | (b & d) | (c & d), 0x8f1bbcdc] : [b ^ c ^ d, 0xca62c1d6];
      [a, b, c, d, e] = [(turn(a, 5) + f + e + k + schedule[at]) | 0, a, turn(b, 30), c, d];
    }
    state[0] += a; state[1] += b; state[2] += c; state[3] += d; state[4] += e;
  }
  return [...state].map((word) => word.toString(16).padStart(8, "0")).join("");
}

// The map of the catalogue, moved, zoomed and read with a pointer or the keyboard. Without this file
// the page shows a picture of it.

const place = document.getElementById("map");
const picture = place?.querySelector("img");
const REACH = 28; // pixels from the pointer within which a song is named
const CLOSEST = 60; // how far it can be zoomed in
const NAMED = 14; // names shown at once

if (place) start().catch(() => {}); // the picture stays

async function start() {
  const answer = await fetch(place.dataset.songs);
  if (!answer.ok) return;
  const songs = await answer.json();
  const near = document.createElement("p");
  near.className = "near-song";
  near.setAttribute("role", "status");
  const canvas = document.createElement("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "Map of the best known songs");
  canvas.setAttribute("aria-describedby", "map-keys");
  const keys = document.createElement("p");
  keys.className = "fine";
  keys.id = "map-keys";
  keys.textContent = `You can pick any of the ${songs.song_id.length.toLocaleString("en")} best known ` +
    "songs. Arrow keys move, + and − zoom, 0 resets the view, Enter opens the song.";
  const buttons = document.createElement("div");
  buttons.className = "map-buttons";
  const map = new Chart(canvas, songs, near);
  for (const [sign, name, act] of [
    ["+", "Zoom in", () => map.zoom(1.6)],
    ["−", "Zoom out", () => map.zoom(1 / 1.6)],
    ["Reset view", "Reset view", () => map.whole()],
  ]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = sign;
    button.setAttribute("aria-label", name);
    button.addEventListener("click", act);
    buttons.append(button);
  }
  const frame = document.createElement("div");
  frame.className = "frame";
  frame.append(canvas, buttons);
  picture.replaceWith(frame);
  document.getElementById("still").replaceWith(near, keys);
  map.listen();
}

class Chart {
  constructor(canvas, songs, near) {
    Object.assign(this, { canvas, songs, near, scale: 1, left: 0, top: 0, chosen: -1, taste: -1 });
    this.pen = canvas.getContext("2d");
    this.waiting = false;
    this.all = songs.x.length > place.dataset.all / 2; // then every song is drawn as itself
  }

  listen() {
    const { canvas } = this;
    new ResizeObserver(() => this.resize()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
    picture.decode().then(() => this.redraw(), () => {});
    let from = null;
    canvas.addEventListener("pointerdown", (event) => {
      from = { x: event.clientX, y: event.clientY, moved: false };
      if (event.pointerType === "mouse") canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (from && event.pointerType === "mouse") {
        const [right, down] = [event.clientX - from.x, event.clientY - from.y];
        if (from.moved || Math.hypot(right, down) > 4) {
          this.move(right, down);
          from = { x: event.clientX, y: event.clientY, moved: true };
        }
      } else if (!from) this.choose(this.nearest(event.offsetX, event.offsetY));
    });
    canvas.addEventListener("pointerup", (event) => {
      const song = this.nearest(event.offsetX, event.offsetY);
      if (from && !from.moved) {
        if (event.pointerType === "mouse" && song >= 0) this.open(song);
        else this.choose(song);
      }
      from = null;
    });
    canvas.addEventListener("pointercancel", () => { from = null; });
    canvas.addEventListener("wheel", (event) => {
      if (document.activeElement !== canvas && !event.ctrlKey) return; // else the page scrolls
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
    for (const link of document.querySelectorAll("[data-taste]")) {
      const only = (taste) => () => { this.taste = taste; this.redraw(); };
      for (const kind of ["mouseenter", "focus"]) {
        link.addEventListener(kind, only(Number(link.dataset.taste)));
      }
      for (const kind of ["mouseleave", "blur"]) link.addEventListener(kind, only(-1));
    }
  }

  key(event) {
    const step = this.side / 12;
    const act = {
      ArrowLeft: () => this.move(step, 0), ArrowRight: () => this.move(-step, 0),
      ArrowUp: () => this.move(0, step), ArrowDown: () => this.move(0, -step),
      "+": () => this.zoom(1.6), "=": () => this.zoom(1.6), "-": () => this.zoom(1 / 1.6),
      "0": () => this.whole(), Enter: () => this.chosen >= 0 && this.open(this.chosen),
    }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
    if (event.key !== "Enter") this.choose(this.nearest(this.side / 2, this.side / 2, Infinity));
  }

  resize() {
    const side = this.canvas.clientWidth;
    const ratio = devicePixelRatio || 1;
    if (this.side) { this.left *= side / this.side; this.top *= side / this.side; }
    this.side = side;
    this.canvas.width = this.canvas.height = Math.round(side * ratio);
    this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.draw();
  }

  at(song) {
    const size = this.side * this.scale;
    return [this.songs.x[song] * size - this.left, this.songs.y[song] * size - this.top];
  }

  move(right, down) {
    const most = this.side * (this.scale - 0.5);
    const within = (value) => Math.min(Math.max(value, -this.side / 2), most);
    this.left = within(this.left - right);
    this.top = within(this.top - down);
    this.redraw();
  }

  zoom(factor, x, y) {
    const [cx, cy] = x === undefined ? this.middle() : [x, y];
    const scale = Math.min(Math.max(this.scale * factor, 1), CLOSEST);
    const grown = scale / this.scale;
    this.left = (this.left + cx) * grown - cx;
    this.top = (this.top + cy) * grown - cy;
    this.scale = scale;
    if (scale === 1) this.left = this.top = 0;
    this.redraw();
  }

  middle() { // what is chosen stays where it is
    if (this.chosen >= 0) {
      const [x, y] = this.at(this.chosen);
      if (x > 0 && y > 0 && x < this.side && y < this.side) return [x, y];
    }
    return [this.side / 2, this.side / 2];
  }

  whole() {
    Object.assign(this, { scale: 1, left: 0, top: 0 });
    this.redraw();
  }

  nearest(x, y, reach = REACH) {
    let [best, least] = [-1, reach * reach];
    for (let song = 0; song < this.songs.x.length; song++) {
      const [sx, sy] = this.at(song);
      const apart = (sx - x) ** 2 + (sy - y) ** 2;
      if (apart < least) [best, least] = [song, apart];
    }
    return best;
  }

  address(song) {
    const bytes = new TextEncoder().encode(this.songs.song_id[song]);
    const safe = (byte) => /[A-Za-z0-9_-]/.test(String.fromCharCode(byte));
    const tilde = Array.from(bytes, (byte) => safe(byte) ? String.fromCharCode(byte)
      : byte === 32 ? "+" : "~" + byte.toString(16).toUpperCase().padStart(2, "0"));
    return place.dataset.song + tilde.join("");
  }

  open(song) { location.href = this.address(song); }

  choose(song) {
    if (song === this.chosen || song < 0) return;
    this.chosen = song;
    const link = document.createElement("a");
    link.href = this.address(song);
    link.textContent = this.songs.label[song];
    const taste = this.songs.tastes[this.songs.taste[song]].label;
    this.near.replaceChildren(link, ` ${taste}`);
    this.redraw();
  }

  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.draw(); });
  }

  draw() {
    const { pen, songs, side, scale } = this;
    if (!side) return;
    const style = getComputedStyle(document.documentElement);
    const [paper, ink] = ["--paper", "--ink"].map((name) => style.getPropertyValue(name));
    pen.clearRect(0, 0, side, side);
    if (!this.all && picture.complete && picture.naturalWidth) {
      pen.globalAlpha = (this.taste < 0 ? 0.75 : 0.12) / scale;
      pen.drawImage(picture, -this.left, -this.top, side * scale, side * scale);
    }
    const radius = (this.all ? 2.2 : 1.1) + 1.5 * Math.log2(scale + 0.4);
    const seen = [];
    for (let song = songs.x.length - 1; song >= 0; song--) {
      const [x, y] = this.at(song);
      if (x < -9 || y < -9 || x > side + 9 || y > side + 9) continue;
      const dim = this.taste >= 0 && songs.taste[song] !== this.taste;
      pen.globalAlpha = dim ? 0.12 : 1;
      pen.fillStyle = songs.tastes[songs.taste[song]].colour;
      pen.beginPath();
      pen.arc(x, y, radius, 0, 7);
      pen.fill();
      if (scale > 1) { pen.globalAlpha *= 0.8; pen.strokeStyle = paper; pen.lineWidth = 0.8; pen.stroke(); }
      if (!dim) seen.push([song, x, y]);
    }
    pen.globalAlpha = 1;
    const taken = [];
    if (this.chosen >= 0) {
      const [x, y] = this.at(this.chosen);
      pen.strokeStyle = ink;
      pen.lineWidth = 2;
      pen.beginPath();
      pen.arc(x, y, radius + 4, 0, 7);
      pen.stroke();
      this.name(this.chosen, x, y - radius - 9, taken, paper, ink);
    }
    if (scale >= 3) for (const [song, x, y] of seen.reverse()) {
      if (taken.length > NAMED) break;
      if (song !== this.chosen) this.name(song, x, y + radius + 13, taken, paper, ink);
    }
  }

  name(song, x, y, taken, paper, ink) {
    const { pen, side } = this;
    const whole = this.songs.label[song].replace(/ \(\d{4}\)$/, "");
    const text = whole.length > 44 ? whole.slice(0, 43) + "…" : whole;
    pen.font = "650 13px system-ui, sans-serif";
    const half = pen.measureText(text).width / 2 + 3;
    const middle = Math.min(Math.max(x, half), side - half);
    const base = Math.min(Math.max(y, 15), side - 6);
    const box = [middle - half, base - 13, middle + half, base + 4];
    if (taken.some((o) => box[0] < o[2] && box[2] > o[0] && box[1] < o[3] && box[3] > o[1])) return;
    taken.push(box);
    pen.textAlign = "center";
    pen.lineWidth = 4;
    pen.lineJoin = "round";
    pen.strokeStyle = paper;
    pen.strokeText(text, middle, base);
    pen.fillStyle = ink;
    pen.fillText(text, middle, base);
  }
}

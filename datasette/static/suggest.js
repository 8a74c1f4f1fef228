/* Suggests songs while a name is being typed: every search box becomes a combobox with a list.

   The pattern is that of the ARIA Authoring Practices (combobox with a list, focus stays in the
   box). Without this file a box is just a box, and sends what is typed to /search. */

const SOURCE = new URL("../api/v1/suggest", import.meta.url);
const SONGS = new URL("../segue/songs/", import.meta.url);
const WAIT = 120; // milliseconds after the last key

for (const box of document.querySelectorAll('input[type="search"][name="q"]')) combobox(box);

function combobox(box) {
  const id = `${box.id}-songs`;
  const list = element("ul", { id, role: "listbox", class: "suggestions", hidden: "" });
  list.setAttribute("aria-label", "Songs");
  const status = element("span", { role: "status", class: "unseen" });
  box.parentElement.classList.add("suggesting");
  box.parentElement.append(list, status);
  const traits = { role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false" };
  for (const [name, value] of Object.entries(traits)) box.setAttribute(name, value);
  box.setAttribute("aria-controls", id);
  box.autocomplete = "off";

  let timer = 0;
  let asking = new AbortController();
  let chosen = -1;

  function stop() {
    clearTimeout(timer);
    asking.abort();
  }

  function close() {
    stop();
    choose(-1);
    list.hidden = true;
    list.replaceChildren();
    box.setAttribute("aria-expanded", "false");
    status.textContent = "";
  }

  function choose(place) {
    list.children[chosen]?.setAttribute("aria-selected", "false");
    chosen = place;
    const option = list.children[chosen];
    if (!option) return box.removeAttribute("aria-activedescendant");
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    box.setAttribute("aria-activedescendant", option.id);
  }

  function show(songs) {
    choose(-1);
    list.replaceChildren(...songs.map((song, place) => option(song, `${id}-${place}`)));
    list.hidden = !songs.length;
    box.setAttribute("aria-expanded", String(!list.hidden));
    const many = songs.length === 1 ? "1 song" : `${songs.length || "No"} songs`;
    status.textContent = songs.length ? `${many}. Use the arrow keys to choose one.` : "No songs found.";
  }

  async function ask() {
    asking = new AbortController();
    const { signal } = asking;
    const address = new URL(SOURCE);
    address.searchParams.set("q", box.value);
    try {
      const answer = await fetch(address, { signal, credentials: "omit" });
      const songs = answer.ok ? (await answer.json()).songs : [];
      if (!signal.aborted) show(songs);
    } catch (error) {
      if (error.name !== "AbortError") close();
    }
  }

  box.addEventListener("input", (event) => {
    stop();
    if (event.isComposing) return;
    if (!box.value.trim()) close();
    else timer = setTimeout(ask, WAIT);
  });
  box.addEventListener("compositionend", () => {
    stop();
    timer = setTimeout(ask, WAIT);
  });
  box.addEventListener("keydown", (event) => {
    const many = list.children.length;
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (event.isComposing) return;
    if (event.key in steps && many) {
      event.preventDefault();
      // One position more than there are songs: the text as it was typed.
      choose(((chosen + 1 + steps[event.key] + many + 1) % (many + 1)) - 1);
    } else if (event.key === "Enter" && list.children[chosen]) {
      event.preventDefault();
      follow(list.children[chosen]);
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      close();
    }
  });
  box.addEventListener("blur", close);
  box.form?.addEventListener("submit", close);
  // A press on the list must not take the focus from the box, or the list would close.
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const pressed = event.target.closest("[role=option]");
    if (pressed) follow(pressed);
  });
}

function option(song, id) {
  const item = element("li", { id, role: "option", "aria-selected": "false" });
  item.classList.add(tone(song.key));
  item.dataset.song = song.song_id;
  const disc = element("span", { class: "disc", "aria-hidden": "true" });
  const title = element("bdi", { class: "title" });
  title.textContent = song.title;
  const by = element("span", { class: "by" });
  const artist = element("bdi", {});
  artist.textContent = song.artist;
  by.append(artist, song.year ? `, ${song.year}` : "");
  const what = element("span", {});
  what.append(title, " ", by);
  item.append(disc, what);
  return item;
}

function follow(option) {
  location.href = new URL(tildeEncoded(option.dataset.song), SONGS);
}

/* Datasette encodes parts of an address with ~ in place of %, and + for a space. */
function tildeEncoded(text) {
  const written = (byte) => {
    const sign = String.fromCharCode(byte);
    if (/[A-Za-z0-9_-]/.test(sign)) return sign;
    return sign === " " ? "+" : `~${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  };
  return Array.from(new TextEncoder().encode(text), written).join("");
}

/* The colour of a key is its place on the circle of fifths. */
function tone(key) {
  return key === null ? "tone-none" : `tone-${(key * 7) % 12}`;
}

function element(name, attributes) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

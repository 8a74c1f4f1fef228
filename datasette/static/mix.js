// Lets visitors drop a file onto the form of saved songs, and copy the URIs of a playlist.

const form = document.querySelector(".saved-songs");
const file = form.querySelector("input[type=file]");

for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  form.addEventListener(kind, (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    form.classList.toggle("over", kind === "dragenter" || kind === "dragover");
    if (kind === "drop") {
      const [first] = event.dataTransfer.files;
      const taken = new DataTransfer();
      taken.items.add(first);
      file.files = taken.files;
      file.focus();
    }
  });
}

const copy = document.querySelector("#copy");
if (copy) {
  const uris = document.querySelector("#uris");
  const copied = document.querySelector("#copied");
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(uris.value);
      copied.textContent = `Copied ${uris.value.split("\n").length} URIs.`;
    } catch {
      uris.focus();
      uris.select();
      copied.textContent = "The URIs are selected: copy them with your keyboard.";
    }
  });
}

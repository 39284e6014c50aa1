// The ways in which a file gets to the page: chosen, pasted, dropped.

/** Calls `open(file)` with what a person gives, and with undefined where that is no file. */
export function onFile(input, open) {
  input.addEventListener("change", () => open(input.files[0]));
  document.addEventListener("paste", (event) => open(event.clipboardData.files[0]));
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dragging");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    open(event.dataTransfer.files[0]);
  });
}

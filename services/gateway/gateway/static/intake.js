// How a file gets onto the page: chosen, pasted or dropped.

/** Calls `open(file)` with the user's file, or with undefined if it was something else. */
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

// Text with `code` in it, as DOM nodes: never through innerHTML.

/** Replaces the element's content by the text; text in backticks becomes <code>. */
export function setText(element, text) {
  element.replaceChildren(
    ...text.split("`").map((part, index) => {
      if (index % 2 === 0) return part;
      const code = document.createElement("code");
      code.textContent = part;
      return code;
    }),
  );
}

/** An element with text and, optionally, a class. */
export function make(tag, text = "", className = "") {
  const element = document.createElement(tag);
  setText(element, text);
  if (className) element.className = className;
  return element;
}

/**
 * Styles that a library makes at run time, below a Content-Security-Policy without inline styles.
 *
 * xterm writes its rules into <style> elements, which the policy rightly refuses, and offers no other way (its `documentOverride` does not
 * reach the scroll bar). Style sheets that are constructed and adopted are allowed: while xterm builds its elements, what it takes for
 * <style> elements hands its text to such sheets.
 */

/** Runs `build` with <style> elements that are adopted sheets. */
export function withAdoptedStyles(build: () => void): void {
  const create = document.createElement;
  document.createElement = ((tag: string, options?: ElementCreationOptions) => (tag === "style" ? adoptedStyle() : create.call(document, tag, options))) as Document["createElement"];
  try {
    build();
  } finally {
    Reflect.deleteProperty(document, "createElement");
  }
}

function adoptedStyle(): HTMLElement {
  const element = Document.prototype.createElement.call(document, "span");
  element.hidden = true;
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  let rules = "";
  Object.defineProperty(element, "textContent", {
    get: () => rules,
    set: (text: string) => {
      rules = text;
      sheet.replaceSync(text);
    },
  });
  element.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => one !== sheet);
    Element.prototype.remove.call(element);
  };
  return element;
}

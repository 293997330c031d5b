/**
 * Styles that a library makes at run time, below a Content-Security-Policy without inline styles.
 *
 * xterm writes its rules into <style> elements, which the policy rightly refuses. Style sheets that are constructed and adopted are allowed:
 * the document that xterm is given makes an element whose text goes there.
 */

/** The document with another way to make <style> elements. */
export function documentWithAdoptedStyles(): Document {
  return new Proxy(document, {
    get(target, name) {
      if (name === "createElement") return (tag: string) => (tag === "style" ? adoptedStyle() : target.createElement(tag));
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}

function adoptedStyle(): HTMLElement {
  const element = document.createElement("span");
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

/**
 * HTML and SVG as text. Whatever is put into a template is escaped, unless it is markup that a template made.
 */

/** Text that is markup: only `markup` makes it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a template: markup as it is, texts and numbers escaped, lists one after the other, `undefined` as nothing. */
export type Content = Markup | string | number | undefined | readonly Content[];

/** @example markup`<td>${row.address}</td>` */
export function markup(parts: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  return new Markup(parts.map((part, at) => part + (at < contents.length ? textOf(contents[at]) : "")).join(""));
}

function textOf(content: Content): string {
  if (content === undefined) return "";
  if (content instanceof Markup) return content.text;
  if (typeof content === "string" || typeof content === "number") return escapeText(String(content));
  return content.map(textOf).join("");
}

const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Good between tags and between quotes of either kind; control characters, which no HTML may have, become U+FFFD. */
export function escapeText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are looked for
  return text.replace(/[&<>"']/g, (sign) => ESCAPES[sign] as string).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g, "\ufffd");
}

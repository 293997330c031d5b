/**
 * The line that somebody types: cursor, history, the keys of readline. It knows nothing of the screen.
 */

export type LineEvent = "changed" | "enter" | "interrupt" | "complete" | "clear" | "none";

const HISTORY_MAX = 500;
const LINE_CHARS_MAX = 4000;

export class LineEditor {
  text = "";
  cursor = 0;
  #history: string[] = [];
  /** Place in the history; its length: the line that is new. */
  #at = 0;
  #draft = "";

  /** Lines that came before, oldest first: those of the run, then those typed here. */
  setHistory(lines: readonly string[]): void {
    this.#history = lines.slice(-HISTORY_MAX);
    this.#at = this.#history.length;
  }

  /** Puts an empty line in place of the present one. */
  reset(): void {
    this.set("");
    this.#at = this.#history.length;
  }

  set(text: string): void {
    this.text = text;
    this.cursor = text.length;
  }

  /** Puts `word` in place of what stands between `from` and the cursor. */
  replaceWord(from: number, word: string): void {
    this.text = this.text.slice(0, from) + word + this.text.slice(this.cursor);
    this.cursor = from + word.length;
  }

  /** A key as terminals send it, or text that was pasted. */
  key(data: string): LineEvent {
    switch (data) {
      case "\r":
        return "enter";
      case "\t":
        return "complete";
      case "\u0003":
        return "interrupt";
      case "\u000c":
        return "clear";
      case "\u007f":
      case "\b":
        return this.#remove(this.#before(), this.cursor);
      case "\u001b[3~":
      case "\u0004":
        return this.#remove(this.cursor, this.#after());
      case "\u0015":
        return this.#remove(0, this.cursor);
      case "\u000b":
        return this.#remove(this.cursor, this.text.length);
      case "\u0017":
        return this.#remove(this.#wordBefore(), this.cursor);
      default:
        return this.#move(data);
    }
  }

  #move(data: string): LineEvent {
    switch (data) {
      case "\u001b[D":
      case "\u0002":
        return this.#goTo(this.#before());
      case "\u001b[C":
      case "\u0006":
        return this.#goTo(this.#after());
      case "\u001b[H":
      case "\u001bOH":
      case "\u0001":
        return this.#goTo(0);
      case "\u001b[F":
      case "\u001bOF":
      case "\u0005":
        return this.#goTo(this.text.length);
      case "\u001b[1;5D":
      case "\u001bb":
        return this.#goTo(this.#wordBefore());
      case "\u001b[1;5C":
      case "\u001bf":
        return this.#goTo(this.cursor + (/^\W*\w*/.exec(this.text.slice(this.cursor))?.[0].length ?? 0));
      case "\u001b[A":
      case "\u0010":
        return this.#recall(-1);
      case "\u001b[B":
      case "\u000e":
        return this.#recall(1);
      default:
        return data.startsWith("\u001b") ? "none" : this.#insert(data);
    }
  }

  #insert(data: string): LineEvent {
    const text = data
      .replaceAll(/\r\n?/g, "\n")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not come in
      .replaceAll(/[\u0000-\u0009\u000b-\u001f\u007f]/g, "")
      .replace(/\n+$/, "");
    if (text === "" || this.text.length + text.length > LINE_CHARS_MAX) return "none";
    this.text = this.text.slice(0, this.cursor) + text + this.text.slice(this.cursor);
    this.cursor += text.length;
    return "changed";
  }

  #remove(from: number, to: number): LineEvent {
    if (from >= to) return "none";
    this.text = this.text.slice(0, from) + this.text.slice(to);
    this.cursor = from;
    return "changed";
  }

  #goTo(cursor: number): LineEvent {
    if (cursor === this.cursor) return "none";
    this.cursor = cursor;
    return "changed";
  }

  #recall(by: 1 | -1): LineEvent {
    const next = this.#at + by;
    if (next < 0 || next > this.#history.length) return "none";
    if (this.#at === this.#history.length) this.#draft = this.text;
    this.#at = next;
    this.set(next === this.#history.length ? this.#draft : (this.#history[next] as string));
    return "changed";
  }

  /** Before and after the character at the cursor; one outside the basic plane is two units long. */
  #before(): number {
    return Math.max(0, this.cursor - ([...this.text.slice(0, this.cursor)].at(-1)?.length ?? 0));
  }

  #after(): number {
    return this.cursor + ([...this.text.slice(this.cursor)][0]?.length ?? 0);
  }

  #wordBefore(): number {
    return this.cursor - (/\S*\s*$/.exec(this.text.slice(0, this.cursor))?.[0].length ?? 0);
  }
}

/** East Asian wide characters and pictographs take two cells. */
const WIDE = /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** Cells that a text takes on a terminal. */
export function cellsOf(text: string): number {
  let cells = 0;
  for (const character of text) cells += WIDE.test(character) ? 2 : 1;
  return cells;
}

/**
 * The screen of one host: xterm shows what the run says, the line editor below it what is being typed.
 */

import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { withAdoptedStyles } from "./adopted-style.ts";
import { cellsOf, LineEditor } from "./line-editor.ts";
import type { Transcript } from "./transcript.ts";

const SCROLLBACK_LINES = 5000;
const MORE_PROMPT = "> ";
const NEW_LINE_SIGN = "⏎";

export interface ScreenEvents {
  /** Each resolves when the next key may be heard. */
  onLine(text: string): Promise<void>;
  onInterrupt(): Promise<void>;
  onComplete(screen: HostScreen): Promise<void>;
  /** True when more lines belong to the text. */
  isOpen(text: string): Promise<boolean>;
}

export class HostScreen {
  readonly editor = new LineEditor();
  readonly #terminal: Terminal;
  readonly #fit = new FitAddon();
  readonly #events: ScreenEvents;
  readonly #observer: ResizeObserver;
  #keys: Promise<void> = Promise.resolve();
  #transcript: Transcript | undefined;
  #written = "";
  /** Lines of a command that goes over several. */
  #earlier = "";
  /** Row of the cursor below the prompt's first row, as drawn. */
  #cursorRow = 0;
  #isDrawn = false;

  constructor(element: HTMLElement, events: ScreenEvents) {
    this.#events = events;
    this.#terminal = new Terminal({
      fontFamily: '"DejaVu Sans Mono", Menlo, Consolas, monospace',
      fontSize: 13,
      scrollback: SCROLLBACK_LINES,
      screenReaderMode: true,
      cursorBlink: false,
      theme: themeOf(element),
    });
    this.#terminal.loadAddon(this.#fit);
    withAdoptedStyles(() => this.#terminal.open(element));
    // A key waits until the line before it has run, so that one can type ahead.
    this.#terminal.onData((data) => {
      this.#keys = this.#keys.then(() => this.#typed(data)).catch(() => undefined);
    });
    // Escape leaves the terminal, as it leaves every field of the page.
    this.#terminal.attachCustomKeyEventHandler((event) => event.key !== "Escape");
    this.#observer = new ResizeObserver(() => this.#resize());
    this.#observer.observe(element);
  }

  /** Takes the colours that the page has now. */
  setTheme(element: HTMLElement): void {
    this.#terminal.options.theme = themeOf(element);
  }

  /** False: lines cannot be typed, only read. */
  allow(isAllowed: boolean): void {
    this.#terminal.options.disableStdin = !isAllowed;
  }

  setLabel(label: string): void {
    this.#terminal.textarea?.setAttribute("aria-label", label);
  }

  show(transcript: Transcript): void {
    const before = this.#transcript;
    if (before?.text === transcript.text && before.isBusy === transcript.isBusy && before.prompt === transcript.prompt) return;
    this.#transcript = transcript;
    this.editor.setHistory(transcript.history);
    this.#erase();
    const goesOn = transcript.text.startsWith(this.#written);
    if (goesOn) this.#terminal.write(transcript.text.slice(this.#written.length));
    else {
      this.#terminal.reset();
      this.#terminal.write(transcript.text);
    }
    this.#written = transcript.text;
    this.#draw();
    this.#terminal.scrollToBottom();
  }

  /** Shows candidates above the line. */
  list(candidates: readonly string[]): void {
    const width = Math.max(...candidates.map(cellsOf)) + 2;
    const columns = Math.max(1, Math.floor(this.#terminal.cols / width));
    const rows: string[] = [];
    for (let i = 0; i < candidates.length; i += columns)
      rows.push(
        candidates
          .slice(i, i + columns)
          .map((one) => one + " ".repeat(width - cellsOf(one)))
          .join("")
          .trimEnd(),
      );
    this.#terminal.write(`\r\n${rows.join("\r\n")}\r\n`);
    this.#isDrawn = false;
    this.#draw();
  }

  redraw(): void {
    this.#erase();
    this.#draw();
  }

  dispose(): void {
    this.#observer.disconnect();
    this.#terminal.dispose();
  }

  get #prompt(): string {
    return this.#earlier === "" ? (this.#transcript?.prompt ?? "") : MORE_PROMPT;
  }

  async #typed(data: string): Promise<void> {
    switch (this.editor.key(data)) {
      case "changed":
        this.redraw();
        break;
      case "complete":
        await this.#events.onComplete(this);
        break;
      case "clear":
        this.#terminal.clear();
        break;
      case "interrupt":
        this.#endLine("^C");
        this.#earlier = "";
        if (this.#transcript?.isBusy === true) await this.#events.onInterrupt();
        this.#draw();
        break;
      case "enter":
        await this.#entered();
        break;
      default:
    }
  }

  async #entered(): Promise<void> {
    const text = this.#earlier + this.editor.text;
    if (text.trim() === "") {
      this.#endLine("");
      this.#draw();
      return;
    }
    if (await this.#events.isOpen(text)) {
      this.#endLine("");
      this.#earlier = `${text}\n`;
      this.#draw();
      return;
    }
    this.#erase();
    this.#earlier = "";
    this.editor.reset();
    await this.#events.onLine(text);
    this.#draw();
  }

  /** The line stays on the screen as it is, a new one begins below it. */
  #endLine(mark: string): void {
    this.editor.cursor = this.editor.text.length;
    this.redraw();
    this.#terminal.write(`${mark}\r\n`);
    this.#isDrawn = false;
    this.editor.reset();
  }

  #erase(): void {
    if (!this.#isDrawn) return;
    this.#terminal.write(`${this.#cursorRow > 0 ? `\u001b[${this.#cursorRow}A` : ""}\r\u001b[J`);
    this.#isDrawn = false;
  }

  #draw(): void {
    if (this.#isDrawn || this.#transcript === undefined || (this.#transcript.isBusy && this.editor.text === "")) return;
    const { cols } = this.#terminal;
    const shown = (text: string) => text.replaceAll("\n", NEW_LINE_SIGN);
    const whole = this.#prompt + shown(this.editor.text);
    const cells = cellsOf(whole);
    const cursorCells = cellsOf(this.#prompt + shown(this.editor.text.slice(0, this.editor.cursor)));
    // A full row does not wrap before the next character comes: a blank makes it.
    const tail = cells > 0 && cells % cols === 0 ? " \r" : "";
    const up = Math.floor(cells / cols) - Math.floor(cursorCells / cols);
    this.#terminal.write(`${whole}${tail}${up > 0 ? `\u001b[${up}A` : ""}\r${cursorCells % cols > 0 ? `\u001b[${cursorCells % cols}C` : ""}`);
    this.#cursorRow = Math.floor(cursorCells / cols);
    this.#isDrawn = true;
  }

  #resize(): void {
    this.#erase();
    this.#fit.fit();
    this.#draw();
  }
}

function themeOf(element: HTMLElement) {
  const style = getComputedStyle(element);
  const color = (name: string) => style.getPropertyValue(name).trim();
  return {
    background: color("--inset"),
    foreground: color("--text"),
    cursor: color("--accent"),
    cursorAccent: color("--inset"),
    selectionBackground: color("--selected"),
    red: color("--bad-text"),
  };
}

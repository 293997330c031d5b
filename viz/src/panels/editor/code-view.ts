/**
 * CodeMirror for scenarios. It lives in a shadow root: there it adopts its styles instead of writing <style> elements, which the page's
 * Content-Security-Policy refuses.
 */

import { autocompletion, type CompletionContext, type CompletionResult, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { FailurePlace } from "../../engine/protocol.ts";
import type { Suggestions } from "./suggestions.ts";

export interface CodeEvents {
  readonly label: string;
  onChange(text: string): void;
  onRun(): void;
  suggest(text: string, position: number): Promise<Suggestions>;
}

const HIGHLIGHT = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--accent-text)" },
  { tag: [tags.string, tags.special(tags.string), tags.content], color: "var(--text)" },
  { tag: tags.comment, color: "var(--muted)", fontStyle: "italic" },
  { tag: [tags.keyword, tags.meta, tags.labelName], color: "var(--bad-text)" },
]);

const THEME = EditorView.theme({
  "&": { height: "100%", color: "var(--text)", backgroundColor: "var(--panel)", fontSize: "13px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: 'ui-monospace, "DejaVu Sans Mono", Consolas, Menlo, monospace', lineHeight: "1.45" },
  ".cm-content": { caretColor: "var(--accent)" },
  ".cm-cursor": { borderLeftColor: "var(--accent)", borderLeftWidth: "2px" },
  ".cm-gutters": { backgroundColor: "var(--inset)", color: "var(--muted)", borderRight: "1px solid var(--line)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--hover)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--selected)" },
  ".cm-selectionMatch": { backgroundColor: "var(--selected)" },
  ".cm-tooltip": { backgroundColor: "var(--panel)", color: "var(--text)", border: "1px solid var(--line)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--selected)", color: "var(--text)" },
  ".cm-panels": { backgroundColor: "var(--inset)", color: "var(--text)" },
  ".cm-textfield": { backgroundColor: "var(--panel)", border: "1px solid var(--line)" },
  ".cm-button": { background: "var(--panel)", border: "1px solid var(--line)" },
  ".cm-diagnostic-error": { borderLeft: "4px solid var(--bad)" },
});

export class CodeView {
  readonly #view: EditorView;
  #isLoading = false;

  constructor(element: HTMLElement, text: string, events: CodeEvents) {
    const root = element.shadowRoot ?? element.attachShadow({ mode: "open" });
    root.replaceChildren();
    const parent = document.createElement("div");
    parent.style.height = "100%";
    root.append(parent);
    this.#view = new EditorView({
      parent,
      root,
      state: EditorState.create({
        doc: text,
        extensions: [
          lineNumbers(),
          highlightActiveLineGutter(),
          highlightActiveLine(),
          history(),
          drawSelection(),
          closeBrackets(),
          yaml(),
          syntaxHighlighting(HIGHLIGHT),
          lintGutter(),
          highlightSelectionMatches(),
          autocompletion({ override: [(context) => completions(context, events)], icons: false }),
          keymap.of([
            {
              key: "Mod-Enter",
              run: () => {
                events.onRun();
                return true;
              },
            },
            ...closeBracketsKeymap,
            ...defaultKeymap,
            ...searchKeymap,
            ...historyKeymap,
            ...completionKeymap,
            ...lintKeymap,
          ]),
          EditorView.contentAttributes.of({ "aria-label": events.label, class: "takes-keys" }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged && !this.#isLoading) events.onChange(update.state.doc.toString());
          }),
          EditorView.lineWrapping,
          THEME,
        ],
      }),
    });
  }

  get text(): string {
    return this.#view.state.doc.toString();
  }

  /** Puts another text in; no change is told. */
  load(text: string): void {
    if (text === this.text) return;
    this.#isLoading = true;
    this.#view.dispatch({ changes: { from: 0, to: this.#view.state.doc.length, insert: text } });
    this.#isLoading = false;
  }

  /** Marks what is wrong at its lines. */
  mark(places: readonly FailurePlace[]): void {
    const { doc } = this.#view.state;
    const diagnostics = places.map(({ line, column, message, remedy }): Diagnostic => {
      const at = doc.line(Math.min(Math.max(line, 1), doc.lines));
      const from = Math.min(at.from + Math.max(column - 1, 0), at.to);
      return { from, to: at.to, severity: "error", message: remedy === "" ? message : `${message}; ${remedy}` };
    });
    this.#view.dispatch(setDiagnostics(this.#view.state, diagnostics));
  }

  /** Puts the cursor at a line and shows it. */
  goToLine(line: number): void {
    const { doc } = this.#view.state;
    const at = doc.line(Math.min(Math.max(line, 1), doc.lines));
    this.#view.dispatch({ selection: { anchor: at.from }, effects: EditorView.scrollIntoView(at.from, { y: "center" }) });
    this.#view.focus();
  }

  dispose(): void {
    this.#view.destroy();
  }
}

async function completions(context: CompletionContext, events: CodeEvents): Promise<CompletionResult | null> {
  const before = context.matchBefore(/[\w./:-]*$/);
  if (!context.explicit && (before === null || before.text === "")) return null;
  const { from, items } = await events.suggest(context.state.doc.toString(), context.pos);
  if (items.length === 0) return null;
  return { from, options: items.map(({ text, kind }) => ({ label: text.trimEnd(), apply: text, detail: kind === "key" ? "" : kind, type: kind })), validFor: /^[\w./:-]*$/ };
}

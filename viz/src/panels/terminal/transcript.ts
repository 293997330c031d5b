/**
 * What a host's terminal shows at an instant: what was typed on it until then and what came back.
 */

import { formatSeconds } from "../../../../src/base/time.ts";
import type { CommandOutput } from "../../engine/protocol.ts";

export interface Transcript {
  /** Lines end with `\r\n`; only colours are escape sequences. */
  readonly text: string;
  /** A line typed here runs at this instant. */
  readonly isBusy: boolean;
  readonly prompt: string;
  /** Command lines so far, oldest first. */
  readonly history: readonly string[];
}

const DIM = "\u001b[2m";
const BOLD = "\u001b[1m";
const RED = "\u001b[31m";
const PLAIN = "\u001b[0m";
/** Of each piece; a flood does not stop the page. */
const PIECE_CHARS_MAX = 200_000;

export interface TranscriptArgs {
  readonly outputs: readonly CommandOutput[];
  readonly host: string;
  /** Simulated time. */
  readonly nowNs: number;
  readonly originNs: number;
  /** Said above what ran at boot. */
  readonly bootTitle: string;
}

export function transcriptOf({ outputs, host, nowNs, originNs, bootTitle }: TranscriptArgs): Transcript {
  const own = outputs.filter((one) => one.host === host && one.startNs <= nowNs);
  const first = `[root@${host} ~]# `;
  let text = "";
  let prompt = first;
  let isBusy = false;
  const history: string[] = [];
  for (const output of own) {
    const lines = output.text.trimEnd();
    const isTyped = output.origin === "input";
    const shownPrompt = isTyped && output.prompt !== "" ? output.prompt : first;
    const title = output.origin === "setup" ? bootTitle : `${formatSeconds(Math.max(0, output.startNs - originNs), 6)} s`;
    if (output.origin === "setup") {
      if (lines === "") continue;
      text += `${DIM}# ${title}${PLAIN}\r\n${linesOf(lines.split("\n").map((line) => `${shownPrompt}${line}`).join("\n"))}\r\n`;
      history.push(...lines.split("\n").filter((line) => /^[a-z]/.test(line)));
    } else {
      text += `${DIM}# ${title}${PLAIN}\r\n`;
      if (lines === "") text += `${shownPrompt}^C\r\n`;
      else {
        text += `${shownPrompt}${BOLD}${linesOf(lines.replaceAll("\n", "\n> "))}${PLAIN}\r\n`;
        history.push(lines);
      }
    }
    text += piecesUntil(output, nowNs);
    const hasEnded = output.endNs !== undefined && output.endNs <= nowNs;
    if (isTyped) {
      isBusy = !hasEnded;
      if (hasEnded) prompt = output.promptAfter || first;
    }
  }
  return { text, isBusy, prompt, history: history.filter((line, i) => line !== history[i - 1]) };
}

function piecesUntil(output: CommandOutput, nowNs: number): string {
  let text = "";
  for (const piece of output.pieces) {
    if (piece.timeNs > nowNs) break;
    const shown = linesOf(piece.text.slice(0, PIECE_CHARS_MAX));
    text += piece.stream === "stderr" ? `${RED}${shown}${PLAIN}` : shown;
  }
  return text === "" || text.endsWith("\r\n") || text.endsWith(`\r\n${PLAIN}`) ? text : `${text}\r\n`;
}

/** Ends of lines as terminals want them. What a program prints cannot steer the terminal: control characters are shown as pictures. */
export function linesOf(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: colours of programs are left out, the rest is made visible
      .replaceAll(/\u001b\[[\d;]*m/g, "")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: see above
      .replaceAll(/[\u0000-\u0008\u000b-\u000c\u000e-\u001f]/g, (character) => String.fromCharCode(0x2400 + character.charCodeAt(0)))
      .replaceAll(/[\u007f-\u009f]/g, "\u2421")
      .replaceAll(/\r?\n/g, "\r\n")
  );
}

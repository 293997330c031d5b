/**
 * md5sum, sha1sum, sha256sum and base64. GNU coreutils 9.1.
 */

import type { Command, CommandContext, Running } from "../../command.ts";
import { fail, parseOptions, readFile, readInputs, splitLines, tool, usageError } from "../tools/support.ts";
import { type Digest, md5, sha1, sha256 } from "./digests.ts";
import { bytesOf, textOf } from "./text-bytes.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function checksum(path: string, digest: Digest): Command {
  const digits = digest(new Uint8Array(0)).length;
  const verify = (context: CommandContext, list: string, isQuiet: boolean, isSilent: boolean): number => {
    let failed = 0;
    let unreadable = 0;
    for (const line of splitLines(list)) {
      const match = new RegExp(`^([0-9a-fA-F]{${digits}}) [ *](.+)$`).exec(line);
      if (match === null) continue;
      const result = readFile(context, match[2] as string);
      if ("error" in result) {
        unreadable++;
        fail(context, `${match[2]}: ${result.error}`);
        if (!isSilent) context.stdout.write(`${match[2]}: FAILED open or read\n`);
        continue;
      }
      const isGood = digest(bytesOf(result.text)) === (match[1] as string).toLowerCase();
      if (!isGood) failed++;
      if (!isSilent && !(isGood && isQuiet)) context.stdout.write(`${match[2]}: ${isGood ? "OK" : "FAILED"}\n`);
    }
    if (!isSilent && unreadable > 0) fail(context, `WARNING: ${unreadable} listed file${unreadable === 1 ? "" : "s"} could not be read`);
    if (!isSilent && failed > 0) fail(context, `WARNING: ${failed} computed checksum${failed === 1 ? " did" : "s did"} NOT match`);
    return failed + unreadable > 0 ? 1 : 0;
  };
  return tool(path, 1, function* (context): Running<number> {
    const options = parseOptions(context.args, "bctqw", { binary: "b", check: "c", text: "t", quiet: "q", status: "s", warn: "w" });
    let exit = 0;
    const inputs = yield* readInputs(context, options.operands, (name, error) => {
      exit = fail(context, `${name}: ${error}`);
    });
    for (const input of inputs) {
      if (options.has("c")) exit = Math.max(exit, verify(context, input.text, options.has("q"), options.has("s")));
      else context.stdout.write(`${digest(bytesOf(input.text))} ${options.has("b") ? "*" : " "}${input.path}\n`);
    }
    return exit;
  });
}

function encodeBase64(bytes: Uint8Array): string {
  let out = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const [a, b, c] = [bytes[i] ?? 0, bytes[i + 1] ?? 0, bytes[i + 2] ?? 0];
    const word = (a << 16) | (b << 8) | c;
    const left = bytes.length - i;
    out += `${ALPHABET[word >> 18]}${ALPHABET[(word >> 12) & 63]}${left > 1 ? ALPHABET[(word >> 6) & 63] : "="}${left > 2 ? ALPHABET[word & 63] : "="}`;
  }
  return out;
}

/** What could be decoded, and whether that was all. */
function decodeBase64(text: string): { readonly bytes: Uint8Array; readonly isGood: boolean } {
  const out: number[] = [];
  for (let i = 0; i < text.length; i += 4) {
    const group = text.slice(i, i + 4);
    const bare = group.replace(/={1,2}$/, "");
    if (group.length < 4 || !/^[A-Za-z0-9+/]{2,4}$/.test(bare)) {
      const values = [...(/^[A-Za-z0-9+/]*/.exec(group)?.[0] ?? "")].map((character) => ALPHABET.indexOf(character));
      if (values.length > 1) out.push((((values[0] ?? 0) << 2) | ((values[1] ?? 0) >> 4)) & 255);
      if (values.length > 2) out.push((((values[1] ?? 0) << 4) | ((values[2] ?? 0) >> 2)) & 255);
      return { bytes: Uint8Array.from(out), isGood: false };
    }
    let word = 0;
    for (let j = 0; j < 4; j++) word = (word << 6) | (j < bare.length ? ALPHABET.indexOf(bare[j] as string) : 0);
    for (let j = 0; j < bare.length - 1; j++) out.push((word >> (16 - 8 * j)) & 255);
  }
  return { bytes: Uint8Array.from(out), isGood: true };
}

function* runBase64(context: CommandContext): Running<number> {
  const options = parseOptions(context.args, "diw:", { decode: "d", "ignore-garbage": "i", "wrap=": "w" });
  const extra = options.operands[1];
  if (extra !== undefined) return usageError(context, `extra operand '${extra}'`, 1);
  const wrap = options.value("w") ?? "76";
  if (!/^\d+$/.test(wrap)) return fail(context, `invalid wrap size: '${wrap}'`);
  let exit = 0;
  const inputs = yield* readInputs(context, options.operands, (name, error) => {
    exit = fail(context, `${name}: ${error}`);
  });
  const text = inputs[0]?.text;
  if (text === undefined) return exit;
  if (options.has("d")) {
    const result = decodeBase64(options.has("i") ? text.replace(/[^A-Za-z0-9+/=]/g, "") : text.replaceAll("\n", ""));
    context.stdout.write(textOf(result.bytes));
    return result.isGood ? 0 : fail(context, "invalid input");
  }
  const encoded = encodeBase64(bytesOf(text));
  const width = Number(wrap);
  if (width === 0) context.stdout.write(encoded);
  else for (let i = 0; i < encoded.length; i += width) context.stdout.write(`${encoded.slice(i, i + width)}\n`);
  return 0;
}

export const checksumCommands: readonly Command[] = [
  checksum("/usr/bin/md5sum", md5),
  checksum("/usr/bin/sha1sum", sha1),
  checksum("/usr/bin/sha256sum", sha256),
  tool("/usr/bin/base64", 1, runBase64),
];

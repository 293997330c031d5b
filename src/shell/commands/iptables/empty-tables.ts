/**
 * ip6tables, arptables and ebtables as they are on the reference machine: the nf_tables kind, on a kernel without the tables that they need.
 * They list what would be there and refuse to add anything (ebtables does not even say so).
 *
 * iptables v1.8.9 (nf_tables) on Linux 6.1.176.
 */

import type { Command, CommandContext } from "../../command.ts";

const STATUS_NOT_FOUND = 1;
const STATUS_USAGE = 2;
const STATUS_KERNEL = 4;
const REFUSED_COMMANDS = "AIPN";
const ABSENT_COMMANDS = "DRCE";

interface Family {
  readonly name: "ip6tables" | "arptables" | "ebtables";
  readonly chains: readonly string[];
}

/** Letters of the short options, words that are no option. */
function read(args: readonly string[]): { readonly letters: string; readonly words: readonly string[] } {
  const long: Readonly<Record<string, string>> = {
    "--list": "L",
    "--list-rules": "S",
    "--append": "A",
    "--insert": "I",
    "--delete": "D",
    "--policy": "P",
    "--new-chain": "N",
    "--flush": "F",
    "--version": "V",
    "--verbose": "v",
    "--numeric": "n",
  };
  const letters = args.filter((word) => word.startsWith("-")).map((word) => (word.startsWith("--") ? (long[word] ?? "") : word.slice(1)));
  return { letters: letters.join(""), words: args.filter((word) => !word.startsWith("-")) };
}

function run(context: CommandContext, family: Family): number {
  const { name } = family;
  const { letters, words } = read(context.args);
  if (letters.includes("V")) {
    context.stdout.write(name === "ebtables" ? "ebtables 1.8.9 (nf_tables)\n" : `${name} v1.8.9 (nf_tables)\n`);
    return 0;
  }
  if (letters.includes("L") || letters.includes("S")) {
    if (name === "arptables" && context.machine.host.arp.table !== undefined) context.stderr.write("# Warning: arptables-legacy tables present, use arptables-legacy to see them\n");
    context.stdout.write(
      list(
        family,
        letters,
        family.chains.filter((chain) => words[0] === undefined || words[0] === chain),
      ),
    );
    return 0;
  }
  if (name === "ebtables") return 0;
  if ([...REFUSED_COMMANDS].some((letter) => letters.includes(letter))) {
    context.stderr.write(`${name} v1.8.9 (nf_tables):  TABLE_ADD failed (Operation not supported): table filter\n`);
    return STATUS_KERNEL;
  }
  if ([...ABSENT_COMMANDS].some((letter) => letters.includes(letter))) {
    context.stderr.write(`${name}: No chain/target/match by that name.\n`);
    return STATUS_NOT_FOUND;
  }
  if (/[FXZ]/.test(letters)) return 0;
  context.stderr.write(`${name} v1.8.9 (nf_tables): no command specified\nTry \`${name} -h' or '${name} --help' for more information.\n`);
  return STATUS_USAGE;
}

function list(family: Family, letters: string, chains: readonly string[]): string {
  if (letters.includes("S")) return chains.map((chain) => `-P ${chain} ACCEPT\n`).join("");
  if (family.name === "ebtables") return `Bridge table: filter\n\n${chains.map((chain) => `Bridge chain: ${chain}, entries: 0, policy: ACCEPT\n`).join("\n")}`;
  const isVerbose = letters.includes("v");
  const counters = isVerbose ? " 0 packets, 0 bytes" : "";
  const header = isVerbose
    ? " pkts bytes target     prot opt in     out     source               destination         \n"
    : "target     prot opt source               destination         \n";
  return chains.map((chain) => `Chain ${chain} (policy ACCEPT${counters})\n${family.name === "arptables" ? "" : header}`).join("\n");
}

function command(path: string, family: Family): Command {
  return { path, run: (context) => run(context, family) };
}

const THREE = ["INPUT", "FORWARD", "OUTPUT"];

export const ip6tablesCommand = command("/usr/sbin/ip6tables", { name: "ip6tables", chains: THREE });
export const arptablesCommand = command("/usr/sbin/arptables", { name: "arptables", chains: ["INPUT", "OUTPUT"] });
export const ebtablesCommand = command("/usr/sbin/ebtables", { name: "ebtables", chains: THREE });
/** Nothing is there to save. */
export const ip6tablesSaveCommand: Command = { path: "/usr/sbin/ip6tables-save", run: () => 0 };

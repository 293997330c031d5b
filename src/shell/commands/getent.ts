/**
 * getent: glibc 2.36 nss/getent.c, with files alone behind it: there are no name servers.
 */

import { formatIpv4Address, parseIpv4Address } from "../../base/ipv4-address.ts";
import type { Command, CommandContext } from "../command.ts";
import { parseLooseAddress, resolveHost } from "../names.ts";

const HINT = "Try `getent --help' or `getent --usage' for more information.\n";
const NOT_FOUND = 2;

/** The words of each line of a file of /etc, without comments. */
function rowsOf(context: CommandContext, path: string): string[][] {
  const { files } = context.machine;
  if (!files.exists(path)) return [];
  const lines = files.read(path).split("\n");
  return lines.map((line) => line.replace(/#.*/, "").trim().split(/\s+/)).filter((words) => words.length > 1);
}

function hostRow(address: string, names: readonly string[]): string {
  return `${address.padEnd(15)} ${names.join(" ")}\n`;
}

function hosts(context: CommandContext, key: string | undefined): string {
  const rows = rowsOf(context, "/etc/hosts").filter(([address = ""]) => parseIpv4Address(address) !== undefined);
  const show = ([address = "", ...names]: readonly string[]): string => hostRow(address, names);
  if (key === undefined) return rows.map(show).join("");
  const isAddress = parseIpv4Address(key) !== undefined;
  const found = rows.find(([address, ...names]) => (isAddress ? address === key : names.some((name) => name.toLowerCase() === key.toLowerCase())));
  if (found !== undefined) return show(found);
  const loose = isAddress ? undefined : parseLooseAddress(key);
  return loose === undefined ? "" : hostRow(formatIpv4Address(loose), [key]);
}

/** What getaddrinfo says: one line a kind of socket, the name on the first. */
function addresses(context: CommandContext, key: string | undefined): string {
  if (key === undefined) return hosts(context, key);
  const address = resolveHost(context.machine, key);
  if (address === undefined) return "";
  const row = rowsOf(context, "/etc/hosts").find(([, ...names]) => names.some((name) => name.toLowerCase() === key.toLowerCase()));
  const text = formatIpv4Address(address).padEnd(15);
  return `${text} STREAM ${row?.[1] ?? key}\n${text} DGRAM  \n${text} RAW    \n`;
}

/** `name number aliases`, found by any name or by the number. */
function numbered(rows: readonly string[][], key: string | undefined, isKey: (row: readonly string[], key: string) => boolean): string {
  const wanted = key === undefined ? rows : rows.filter((row) => isKey(row, key)).slice(0, 1);
  return wanted.map(([name = "", ...rest]) => `${name.padEnd(21)} ${rest.join(" ")}\n`).join("");
}

function services(context: CommandContext, key: string | undefined): string {
  const [name, protocol] = (key ?? "").split("/");
  return numbered(rowsOf(context, "/etc/services"), key, ([first, port = "", ...aliases]) => {
    const [number, kind] = port.split("/");
    return (first === name || number === name || aliases.includes(name ?? "")) && (protocol === undefined || protocol === kind);
  });
}

function protocols(context: CommandContext, key: string | undefined): string {
  return numbered(rowsOf(context, "/etc/protocols"), key, (row, wanted) => row.includes(wanted));
}

function accounts(path: string): (context: CommandContext, key: string | undefined) => string {
  return (context, key) => {
    const lines = context.machine.files.read(path).split("\n").filter((line) => line !== "");
    const isNumber = key !== undefined && /^\d+$/.test(key);
    const wanted = key === undefined ? lines : lines.filter((line) => line.split(":")[isNumber ? 2 : 0] === key);
    return wanted.map((line) => `${line}\n`).join("");
  };
}

const DATABASES: Readonly<Record<string, (context: CommandContext, key: string | undefined) => string>> = {
  ahosts: addresses,
  ahostsv4: addresses,
  hosts,
  services,
  protocols,
  passwd: accounts("/etc/passwd"),
  group: accounts("/etc/group"),
};

/** Databases that getent knows and that are not here. */
const OTHERS = new Set(["ahostsv6", "aliases", "ethers", "gshadow", "initgroups", "netgroup", "networks", "rpc", "shadow"]);

export const getentCommand: Command = {
  path: "/usr/bin/getent",
  run(context) {
    const { args, stdout, stderr } = context;
    const [database, ...keys] = args;
    if (database === undefined || database.startsWith("-")) {
      stderr.write(database === undefined ? "getent: wrong number of arguments\n" : `getent: option ${database} is not supported by this simulator\n`);
      if (database === undefined) stdout.write(HINT);
      return 1;
    }
    const lookUp = DATABASES[database];
    if (lookUp === undefined) {
      if (OTHERS.has(database)) {
        stderr.write(`getent: database ${database} is not supported by this simulator\n`);
        return 1;
      }
      stderr.write(`Unknown database: ${database}\n`);
      stdout.write(HINT);
      return 1;
    }
    let exit = 0;
    for (const key of keys.length === 0 ? [undefined] : keys) {
      const text = lookUp(context, key);
      stdout.write(text);
      if (text === "" && key !== undefined) exit = NOT_FOUND;
    }
    return exit;
  },
};

/**
 * ip maddress show: the groups that interfaces have joined.
 *
 * iproute2 6.1 ip/ipmaddr.c (multiaddr_list, print_mlist).
 */

import { formatIpv4Address } from "../../../base/ipv4-address.ts";
import { hexBytes, membershipsOf } from "../../memberships.ts";
import { Arguments, chosenOf, garbage, type IpSession, unsupported } from "./ip-output.ts";

export function runIpMaddress(session: IpSession, words: readonly string[]): number {
  const verb = words[0];
  if (verb === undefined) return show(session, []);
  switch (chosenOf(verb, ["add", "delete", "list", "show", "lst", "help"])) {
    case "list":
    case "show":
    case "lst":
      return show(session, words.slice(1));
    default:
      return unsupported(`"ip maddr ${verb}"`);
  }
}

function show(session: IpSession, words: readonly string[]): number {
  const { host, flags } = session;
  if (flags.isJson) unsupported("ip maddr with JSON");
  const args = new Arguments(words);
  let name = "";
  while (!args.isAtEnd) {
    const word = args.take();
    const text = word === "dev" ? args.take() : word;
    if (name !== "") garbage("dev", text);
    name = text;
  }
  const { family } = flags;
  const shows = (one: "inet" | "inet6" | "link"): boolean => family === undefined || family === one;
  const count = (users: number): string => (users === 1 ? "" : ` users ${users}`);
  for (const device of [...host.devices.list].sort((a, b) => a.index - b.index)) {
    if (name !== "" && device.name !== name) continue;
    const { link, inet, inet6 } = membershipsOf(host, device);
    const rows = [
      ...(shows("link") ? link.map(({ bytes, users }) => `link  ${hexBytes(bytes, ":")}${count(users)}`) : []),
      ...(shows("inet") ? inet.map(({ group, users }) => `inet  ${formatIpv4Address(group)}${count(users)}`) : []),
      ...(shows("inet6") ? inet6.map((group) => `inet6 ${group}`) : []),
    ];
    const head = `${device.index}:\t${device.name}`;
    if (session.nl !== "\n") for (const row of rows) session.out(`${head}${session.nl}\t${row}\n`);
    else if (rows.length > 0) session.out(`${head}\n${rows.map((row) => `\t${row}\n`).join("")}`);
  }
  return 0;
}

/**
 * What may follow `ip link add ... type ipip` and `type gre`.
 *
 * iproute2 6.1 ip/link_iptnl.c (iptunnel_parse_opt), link_gre.c (gre_parse_opt).
 */

import type { TunnelParameters } from "../../../host/device.ts";
import { type Arguments, deviceNamed, type IpSession, takeAddress, unsupported } from "./ip-output.ts";
import { isTosWord, isTtlWord, takeKey, takeTos, takeTtl } from "./ip-tunnel.ts";

export function parseLinkTunnel(session: IpSession, args: Arguments, mode: TunnelParameters["mode"]): TunnelParameters {
  const wanted: { -readonly [K in keyof TunnelParameters]: TunnelParameters[K] } = {
    mode,
    local: 0,
    remote: 0,
    ttl: 0,
    tos: 0,
    pmtuDiscovery: true,
    key: undefined,
    isUnbounded: true,
    carriesAny: mode === "ipip",
  };
  while (!args.isAtEnd) {
    const word = args.take();
    if (word === "remote") wanted.remote = takeAddress(args.take());
    else if (word === "local") wanted.local = takeAddress(args.take());
    else if (word === "dev") wanted.link = deviceNamed(session, args.take());
    else if (isTtlWord(word)) wanted.ttl = takeTtl(args);
    else if (isTosWord(word)) wanted.tos = takeTos(args);
    else if (word === "pmtudisc") wanted.pmtuDiscovery = true;
    else if (word === "nopmtudisc") wanted.pmtuDiscovery = false;
    else if (word === "noencap") continue;
    else if (word === "key" && mode === "gre") wanted.key = takeKey(args);
    else if (word === "mode" && mode === "ipip") {
      const text = args.take();
      if (text === "ipip" || text === "ipv4/ipv4" || text === "ip4ip4") wanted.carriesAny = false;
      else if (text === "any" || text === "any/ipv4") wanted.carriesAny = true;
      else unsupported(`mode ${text} of type ipip`);
    } else unsupported(`"${word}" of type ${mode}`);
  }
  return wanted;
}

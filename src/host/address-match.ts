/**
 * Questions about the addresses of one device that ARP and redirects ask.
 *
 * Linux v6.1 net/ipv4/devinet.c (confirm_addr_indev, inet_addr_onlink), include/linux/inetdevice.h (inet_ifa_match).
 */

import { type Ipv4Address, isInPrefix } from "../base/ipv4-address.ts";
import { type InterfaceAddress, type NetDevice, SCOPE_HOST, SCOPE_LINK, type Scope } from "./device.ts";

function isInSubnet(address: Ipv4Address, entry: InterfaceAddress): boolean {
  return isInPrefix(address, entry.peer, entry.prefixLength);
}

/**
 * Finds an address of the device of at most `scope`: `local` itself, or with local 0 any. With `destination` some prefix of the device must
 * contain both. 0: there is none.
 */
export function confirmAddress(
  device: NetDevice,
  wanted: { readonly destination: Ipv4Address; readonly local: Ipv4Address; readonly scope: Scope; readonly localnetIsLink: boolean },
): Ipv4Address {
  const { destination, local, scope } = wanted;
  const localnetScope = wanted.localnetIsLink ? SCOPE_LINK : SCOPE_HOST;
  let address = 0;
  let isSame = false;
  for (const entry of device.addresses) {
    const isInScope = Math.min(entry.scope, localnetScope) <= scope;
    if (address === 0 && (local === 0 || local === entry.address) && isInScope) {
      address = entry.address;
      if (isSame) break;
    }
    if (isSame) continue;
    isSame = (local === 0 || isInSubnet(local, entry)) && (destination === 0 || isInSubnet(destination, entry));
    if (!isSame || address === 0) continue;
    if (local !== 0 || destination === 0 || isInSubnet(address, entry)) break;
    if (isInScope) {
      address = entry.address;
      break;
    }
    isSame = false;
  }
  return isSame ? address : 0;
}

/** True when one prefix of the device contains both. */
export function isAddressOnLink(device: NetDevice, a: Ipv4Address, b: Ipv4Address): boolean {
  for (const entry of device.addresses) if (isInSubnet(a, entry) && (b === 0 || isInSubnet(b, entry))) return true;
  return false;
}

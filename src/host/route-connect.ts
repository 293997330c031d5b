/**
 * The route of a socket that connects. It is looked up twice: first for a source address, then from that address, which rules may
 * send another way ("ip rule add from").
 *
 * Linux v6.1 include/net/route.h:ip_route_connect.
 */

import { isRouteError, type RouteKey, type Routing } from "./host.ts";
import type { Route, RouteError } from "./route.ts";

export function routeConnect(routing: Routing, key: RouteKey): Route | RouteError {
  const first = routing.output(key);
  if (isRouteError(first) || (key.src ?? 0) !== 0 || first.source === 0) return first;
  return routing.output({ ...key, src: first.source });
}

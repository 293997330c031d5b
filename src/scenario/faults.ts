/**
 * Makes faults happen in a world.
 */

import type { Process } from "../shell/process.ts";
import type { SwitchPort } from "../link/switch.ts";
import { describeFault, type Fault, faultSubject, type Target } from "./fault.ts";
import { BOOT_NS } from "./machine-life.ts";
import type { World } from "./world.ts";

/** The names under which the simulated web server is known. */
const WEB_SERVERS = new Set(["httpd", "apache2", "nginx"]);

export function makeFault(world: World, fault: Fault): void {
  const { trace } = world;
  const isOwnRecord = fault.verb === "reboot" || fault.verb === "poweroff";
  if (trace.isOn && !isOwnRecord) {
    const detail = describeFault(fault).split(" ").slice(1).join(" ");
    trace.emit({ kind: "fault", host: faultSubject(fault), fault: fault.verb, detail, cause: 0 });
  }
  switch (fault.verb) {
    case "break":
    case "mend":
      breakOrMend(world, fault.target, fault.verb === "mend");
      break;
    case "impair":
      impair(world, fault);
      break;
    case "partition":
      world.links.get(fault.link)?.partition(fault.groups.map((group) => group.flatMap((member) => portsOf(world, member).filter(({ link }) => link === fault.link).map(({ port }) => port))));
      break;
    case "reboot":
      world.life(fault.host).reboot(fault.takesNs ?? BOOT_NS);
      break;
    case "poweroff":
      world.life(fault.host).powerOff("poweroff");
      break;
    case "kill":
      kill(world, fault);
      break;
    case "slow":
      world.machine(fault.host).slowdownNs = fault.byNs;
      break;
    case "backlog":
      for (const listener of world.machine(fault.host).host.tcp.listeners) if (listener.localPort === fault.port) listener.isJammed = fault.isFull;
      break;
    case "clock":
      world.machine(fault.host).epochSeconds += fault.bySeconds;
      break;
  }
}

interface Socket {
  readonly name: string;
  readonly link: string;
  readonly port: SwitchPort;
}

function portsOf(world: World, target: Target): Socket[] {
  const sockets: Socket[] = [];
  for (const [host, attachments] of world.attachments)
    for (const { spec, port } of attachments) {
      const isMeant = target.kind === "link" ? spec.link === target.link : target.host === host && (target.kind === "host" || target.interface === spec.name);
      if (isMeant) sockets.push({ name: `${host}.${spec.name}`, link: spec.link, port });
    }
  return sockets;
}

/** A link is its switch; a host or an interface are cables. */
function breakOrMend(world: World, target: Target, isWhole: boolean): void {
  if (target.kind === "link") world.links.get(target.link)?.setPower(isWhole);
  else for (const { port } of portsOf(world, target)) port.setCable(isWhole);
}

/** Each cable and direction draws from a stream of its own, so that nobody else's draws move. */
function impair(world: World, fault: Extract<Fault, { verb: "impair" }>): void {
  const { target, netem, direction } = fault;
  const directions = (["out", "in"] as const).filter((one) => netem === undefined || direction === one || (direction === "both" && (one === "out" || target.kind !== "link")));
  for (const { name, port } of portsOf(world, target)) for (const one of directions) port.impair(netem, one, world.random.stream(`impair/${name}/${one}`));
}

function kill(world: World, fault: Extract<Fault, { verb: "kill" }>): void {
  const { processes } = world.machine(fault.host);
  const isMeant = (process: Process): boolean => {
    const program = (process.args[0] ?? "").split("/").at(-1);
    return process.name === fault.process || program === fault.process || (WEB_SERVERS.has(fault.process) && WEB_SERVERS.has(process.name));
  };
  for (const process of processes.list.filter(isMeant)) processes.kill(process.pid, fault.signal);
}

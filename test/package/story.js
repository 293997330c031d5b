/**
 * What the package does for a user, in Node and bundled for a browser: everything that comes out, as one text. Copied into an empty project.
 */

import { Lab, LimitError, runSchedScript, ScenarioError } from "lvsim";
import { SCHEDULERS, schedulerContext, schedulerDest, weightedRoundRobin } from "lvsim/ipvs";
import { decodePcap, formatLadder } from "lvsim/trace";

/** @param {string} scenario the text of a scenario file */
export function tell(scenario) {
  const lab = Lab.fromScenario(scenario, { file: "scenario.yaml", captures: true });
  const host = lab.hostNames[0];
  lab.runUntil("1s");
  const terminal = lab.terminal(host);
  terminal.run("ip addr; arp -n");
  const { unmet, timeline, endNs } = lab.runToEnd();
  const fork = lab.fork("1500ms");
  fork.down(`${host}`);
  fork.runToEnd();

  const built = new Lab({ seed: 7 });
  built.link("lan", { loss: "5%" });
  for (const n of [1, 2, 3]) built.host(`h${n}`, { interfaces: { eth0: { link: "lan", address: `10.0.0.${n}/24` } } });
  const ping = built.run("h1", "ping -c 20 -i 0.1 10.0.0.2");

  const dests = [1, 2].map((n) => schedulerDest({ address: n, port: 80, weight: n }));
  const state = weightedRoundRobin.init({ dests, flags: [] }, schedulerContext());
  const packet = { sourceAddress: 9, sourcePort: 1, destinationAddress: 8, destinationPort: 80, protocol: 6 };
  const picks = [1, 2, 3].map(() => state.schedule(packet)?.address);
  const script = runSchedScript("service tcp 10.9.0.1:80 mh\nadd 10.2.0.1:80\nadd 10.2.0.2:80\nopen c1 from 10.1.0.1:4001\n").lines;

  return JSON.stringify({
    unmet,
    timeline,
    endNs,
    terminal: terminal.transcript,
    events: lab.events,
    forked: fork.events.length,
    capture: decodePcap(lab.pcap(host, lab.scenario.hosts[0].interfaces[0].name)),
    ladder: formatLadder(lab.events, { hosts: lab.hostNames, width: 120 }),
    ping,
    lost: built.events.filter((event) => event.kind === "frame-dropped").length,
    picks,
    script,
    schedulers: SCHEDULERS.map(({ name }) => name),
    errors: [problemOf(() => Lab.fromScenario("title: x", { file: "x.yaml" })), problemOf(() => new Lab({ limits: { events: 10 } }).boot()), problemOf(endless)],
  });
}

function endless() {
  const lab = new Lab({ limits: { events: 500 } });
  lab.host("a", { interfaces: { eth0: { link: "lan" } }, run: "while :; do sleep 0.001; done" });
  lab.boot();
}

function problemOf(work) {
  try {
    work();
    return "none";
  } catch (error) {
    return `${error instanceof ScenarioError} ${error instanceof LimitError} ${error.message}`;
  }
}

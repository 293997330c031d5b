/**
 * Schedulers that users write: as a class with the kernel's hook names, as an object, and wrong ones.
 */
import { describe, expect, test } from "vitest";
import { formatIpv4Address } from "../../../src/base/ipv4-address.ts";
import {
  defineScheduler,
  guardScheduler,
  type Scheduler,
  type SchedulerContext,
  type SchedulerDefinition,
  SchedulerDefinitionError,
  type SchedulerDest,
  SchedulerFault,
  type SchedulerPacket,
  type SchedulerService,
  schedulerContext,
  schedulerDest,
} from "../../../src/ipvs/schedulers/index.ts";
import { runScenario } from "../../../src/scenario/run-scenario.ts";
import { LINUX_PARTS } from "../../../src/scenario/linux-parts.ts";
import { parseScenario } from "../../../src/scenario/scenario-file.ts";
import { runSchedScript } from "../../../src/sched/sched-script.ts";

const calls: string[] = [];
const name = (dest: SchedulerDest) => `${dest.address & 255}`;

/** The server added first, and a record of every hook. */
class Recorder {
  static schedulerName = "recorder";
  static flags = ["loud"];
  readonly context: SchedulerContext;
  picks = 0;

  constructor(context: SchedulerContext) {
    this.context = context;
  }
  init_service(service: SchedulerService) {
    calls.push(`init ${service.dests.length} ${service.flags.join()}`);
  }
  schedule<D extends SchedulerDest>(service: SchedulerService<D>, packet: SchedulerPacket): D | undefined {
    calls.push(`schedule ${packet.sourcePort} ${++this.picks}`);
    return service.dests.findLast((dest) => dest.weight > 0 && !dest.overloaded);
  }
  add_dest(service: SchedulerService, dest: SchedulerDest) {
    calls.push(`add ${name(dest)} ${service.dests.indexOf(dest)}`);
  }
  del_dest(service: SchedulerService, dest: SchedulerDest) {
    calls.push(`del ${name(dest)} ${service.dests.indexOf(dest)}`);
  }
  upd_dest(_service: SchedulerService, dest: SchedulerDest) {
    calls.push(`upd ${name(dest)} ${dest.weight}`);
  }
  done_service() {
    calls.push("done");
  }
}

const SCRIPT = `service tcp 10.9.0.1:80 wrr sh-port
add 10.2.0.1:80 weight 2
add 10.2.0.2:80
open c1 from 10.1.0.1:4001
edit 10.2.0.1:80 weight 0
open c2 from 10.1.0.1:4002
delete 10.2.0.2:80
open c3 from 10.1.0.1:4003`;

test("a class with the kernel's hook names takes the place of the script's scheduler", () => {
  calls.length = 0;
  const script = SCRIPT.replace("wrr sh-port", "wrr");
  expect(runSchedScript(script, { scheduler: Recorder }).lines).toEqual(["c1 10.2.0.1:80", "c2 10.2.0.2:80", "c3 -"]);
  expect(calls).toEqual(["init 0 ", "add 1 0", "add 2 0", "schedule 4001 1", "upd 1 0", "schedule 4002 2", "del 2 -1", "schedule 4003 3"]);
});

test("a replacement keeps its own flags and is spared those of others", () => {
  calls.length = 0;
  runSchedScript(SCRIPT.replace("sh-port", "sh-port loud"), { scheduler: Recorder });
  expect(calls[0]).toBe("init 0 loud");
});

test("a name that the script uses is found among schedulers of one's own, and nowhere else", () => {
  const script = SCRIPT.replace("wrr sh-port", "recorder loud");
  expect(runSchedScript(script, { schedulers: [Recorder] }).lines[0]).toBe("c1 10.2.0.1:80");
  expect(runSchedScript(script).lines[0]).toBe("! service tcp 10.9.0.1:80 recorder loud: invalid scheduler flag `loud'");
});

test("another of the kernel's in place of the script's", () => {
  const [first] = runSchedScript(SCRIPT, { scheduler: { name: "rr", flags: [], init: ({ dests }) => ({ schedule: () => dests[1] }) } }).lines;
  expect(first).toBe("c1 10.2.0.1:80");
});

const SCENARIO = `title: a scheduler of one's own
hosts:
  client: { interfaces: { eth0: { link: lan, address: 10.0.0.9/24 } } }
  director:
    interfaces: { eth0: { link: lan, address: 10.0.0.1/24 } }
    run: |
      ipvsadm -A -t 10.0.0.1:80 -s recorder -b loud
      ipvsadm -a -t 10.0.0.1:80 -r 10.0.0.11 -g
      ipvsadm -a -t 10.0.0.1:80 -r 10.0.0.12 -g
      ipvsadm -E -t 10.0.0.1:80 -s wlc
      ipvsadm -E -t 10.0.0.1:80 -s recorder -b loud
timeline:
  - { at: 1s, host: director, run: "ipvsadm -S -n; ipvsadm -Ln" }
  - { at: 2s, host: client, run: "nc -w 1 10.0.0.1 80 < /dev/null; true" }
`;

test("in a scenario, ipvsadm -s finds it by name, with its flags; another run does not know it", () => {
  calls.length = 0;
  const scenario = parseScenario(SCENARIO, "own.yaml");
  const result = runScenario(scenario, { parts: LINUX_PARTS, schedulers: [Recorder] });
  expect(result.setup.director).toMatchObject({ exit: 0, stderr: "" });
  expect((result.timeline[0] as { stdout: string }).stdout).toContain("-A -t 10.0.0.1:80 -s recorder -b loud\n");
  expect((result.timeline[0] as { stdout: string }).stdout).toContain("TCP  10.0.0.1:80 recorder (loud)\n");
  expect(calls.slice(0, 5)).toEqual(["init 0 loud", "add 11 0", "add 12 0", "done", "init 2 loud"]);
  expect(calls.filter((call) => call.startsWith("schedule")).length).toBeGreaterThan(0);
  const other = runScenario(scenario, { parts: LINUX_PARTS });
  expect(other.setup.director?.stderr).toContain("invalid scheduler flag `loud'");
});

describe("what is no scheduler is refused with a reason", () => {
  class NoSchedule {
    static schedulerName = "x";
  }
  class NoName {
    schedule() {
      return undefined;
    }
  }
  const init = () => ({ schedule: () => undefined });
  test.each([
    ["a number", 5, "a scheduler is a class or an object"],
    ["nothing", null, "a scheduler is a class or an object"],
    ["a class without schedule", NoSchedule, "`static schedulerName` and a method `schedule"],
    ["a class without a name", NoName, "`static schedulerName` and a method `schedule"],
    ["an object without a name", { init, flags: [] }, "needs `name`"],
    ["a name with capitals", { name: "Mine", flags: [], init }, '"Mine" is no name'],
    ["a name of 16 letters", { name: "abcdefghijklmnop", flags: [], init }, "1 to 15"],
    ["an object without init", { name: "mine", flags: [] }, "`init(service, context)` is missing"],
    ["flags that are no words", { name: "mine", flags: "loud", init }, "`flags` must be a list"],
    ["a limit that is no number", { name: "mine", flags: [], init, destCountMax: 1.5 }, "`destCountMax` must be a whole number"],
  ])("%s", (_what, definition, message) => {
    expect(() => defineScheduler(definition)).toThrow(SchedulerDefinitionError);
    expect(() => defineScheduler(definition)).toThrow(message);
  });

  test("an init that gives no schedule", () => {
    const broken = defineScheduler({ name: "mine", flags: [], init: () => ({}) });
    expect(() => broken.init({ dests: [], flags: [] }, schedulerContext())).toThrow("has no `schedule(packet)`");
  });
});

describe("a scheduler that fails is named", () => {
  const foreign = schedulerDest({ address: 0x0a020009, port: 80 });
  const faulty = (parts: object): SchedulerDefinition => ({ name: "bad", flags: [], init: () => ({ schedule: () => undefined, ...parts }) }) as unknown as Scheduler;
  const fail = () => {
    throw new RangeError("no");
  };
  test.each([
    ["throws in schedule", faulty({ schedule: fail }), "scheduler bad: schedule() threw RangeError: no"],
    ["throws in destAdded", faulty({ destAdded: fail }), "scheduler bad: destAdded() threw RangeError: no"],
    ["returns a foreign server", faulty({ schedule: () => foreign }), "returned the server 10.2.0.9:80, which is not in the service"],
    ["returns something else", faulty({ schedule: () => "rs1" }), "returned string rs1, which is not in the service"],
    ["throws in init", { name: "bad", flags: [], init: fail } as Scheduler, "scheduler bad: init() threw RangeError: no"],
  ])("%s", (_what, scheduler, message) => {
    expect(() => runSchedScript(SCRIPT.replace(" sh-port", ""), { scheduler })).toThrow(SchedulerFault);
    expect(() => runSchedScript(SCRIPT.replace(" sh-port", ""), { scheduler })).toThrow(message);
  });

  test("a server that was deleted is foreign; what the scheduler threw is kept", () => {
    let kept: SchedulerDest | undefined;
    const hoarder = { name: "hoard", flags: [], init: ({ dests }: SchedulerService) => ({ schedule: () => (kept ??= dests[0]) }) } as unknown as Scheduler;
    expect(() => runSchedScript(SCRIPT.replace(" sh-port", "").replace("edit", "delete 10.2.0.2:80\nedit"), { scheduler: hoarder })).toThrow(
      "returned the server 10.2.0.2:80",
    );
    expect(formatIpv4Address(kept?.address ?? 0)).toBe("10.2.0.2");
    const cause = new Error("why");
    const throws = guardScheduler({ name: "t", flags: [], init: () => ({ schedule: () => { throw cause; } }) });
    const state = throws.init({ dests: [], flags: [] }, schedulerContext());
    expect(() => state.schedule({ sourceAddress: 0, sourcePort: 0, destinationAddress: 0, destinationPort: 0, protocol: 6 })).toThrow(expect.objectContaining({ cause, hook: "schedule", scheduler: "t" }));
  });
});

/**
 * Scheduler scripts: what is read, what is refused, what time does.
 */
import { describe, expect, test } from "vitest";
import { runSchedScript } from "../../../src/sched/sched-script.ts";
import { LINUX_6_1_176, type Scheduler, SCHEDULERS } from "../../../src/ipvs/schedulers/index.ts";

const SERVICE = "service tcp 10.9.0.1:80 rr";

function run(...lines: string[]): readonly string[] {
  const { lines: output, problems } = runSchedScript(lines.join("\n"));
  expect(problems).toEqual([]);
  return output;
}

/** "c1 c2" opened from one client each, in turn. */
function opens(names: string, client = "10.1.0.1"): string[] {
  return names.split(" ").map((name) => `open ${name} from ${client}:${4000 + Number(name.slice(1))}`);
}

/** The last octets of the servers, "-" for none. */
function picks(...lines: string[]): string {
  return run(...lines)
    .filter((line) => !line.startsWith("!"))
    .map((line) => /\.(\d+):\d+$/.exec(line)?.[1] ?? "-")
    .join("");
}

test("the example of the documentation", () => {
  expect(run(SERVICE, "add 10.2.0.1:80", "open c1 from 10.1.0.1:4001")).toEqual(["c1 10.2.0.1:80"]);
});

test("comments and empty lines are passed over", () => {
  expect(run("# a script", "", `${SERVICE} # round robin`, "  add 10.2.0.1:80", "open c1 from 10.1.0.1:4001")).toHaveLength(1);
});

describe("problems of a script", () => {
  test.each([
    { script: "frobnicate", message: 'unknown operation "frobnicate"' },
    { script: "add 10.2.0.1:80", message: "add before any service" },
    { script: "open c1 from 10.1.0.1:4001", message: "open before any service" },
    { script: "service", message: "service of what?" },
    { script: "service udp 10.9.0.1:53 rr", message: 'unknown kind of service "udp"' },
    { script: "service tcp 10.9.0.1:80", message: "service without a scheduler" },
    { script: "service tcp 10.9.0.1 rr", message: '"10.9.0.1" is not ADDRESS:PORT' },
    { script: "service tcp 10.9.0.1:80 rr persist=1 persist=2", message: "persist= twice" },
    { script: `${SERVICE}\nadd 10.2.0.300:80`, message: '"10.2.0.300:80" is not ADDRESS:PORT' },
    { script: `${SERVICE}\nadd 10.2.0.1:65536`, message: '"10.2.0.1:65536" is not ADDRESS:PORT' },
    { script: `${SERVICE}\nadd`, message: "an address is missing" },
    { script: `${SERVICE}\nadd 10.2.0.1:80 wieght 3`, message: 'unknown word "wieght" after add' },
    { script: `${SERVICE}\nadd 10.2.0.1:80 weight`, message: "weight without a number" },
    { script: `${SERVICE}\nedit 10.2.0.1:80 upper 1 upper 2`, message: "upper twice" },
    { script: `${SERVICE}\ndelete 10.2.0.1:80 now`, message: 'unexpected word "now" after delete' },
    { script: `${SERVICE}\nopen c1`, message: "open without a name and a client" },
    { script: `${SERVICE}\nopen c1 from 10.1.0.1:1 at 10.9.0.1:80`, message: 'unknown word "at" after the client' },
    { script: `${SERVICE}\nopen c1 from 10.1.0.1:1 to 10.9.0.1:80 x`, message: 'unexpected word "x" after open' },
    { script: "service fwmark 1 rr\nopen c1 from 10.1.0.1:1", message: "a fwmark service has no address to connect to" },
    { script: "close", message: "close of what?" },
    { script: `${SERVICE}\nclose c1`, message: 'no connection "c1"' },
    { script: `${SERVICE}\nopen c1 from 10.1.0.1:1\nclose c1 c2`, message: 'unexpected word "c2" after close' },
    { script: "sleep", message: '"" is not a number of seconds' },
    { script: "sleep long", message: '"long" is not a number of seconds' },
    { script: "sleep 9000000", message: "the script sleeps too long" },
    { script: "sleep 1 2", message: 'unexpected word "2" after sleep' },
  ])("$script -> $message", ({ script, message }) => {
    const { lines, problems } = runSchedScript(script);
    expect(lines).toEqual([]);
    expect(problems.map((problem) => problem.message)).toEqual([message]);
    expect(problems[0]?.line).toBe(script.split("\n").length);
    expect(problems[0]?.remedy).not.toBe("");
  });

  test("a mistake in a service is not reported again by what follows", () => {
    const script = "service sctp 10.9.0.1:80 rr\nadd 10.2.0.1:80\nopen c1 from 10.1.0.1:1\nclose c1";
    expect(runSchedScript(script).problems.map(({ line }) => line)).toEqual([1]);
  });

  test("all are reported, with their lines", () => {
    expect(runSchedScript(`${SERVICE}\nad 10.2.0.1:80\n\nsleep x`).problems.map(({ line }) => line)).toEqual([2, 4]);
  });
});

describe("commands that ipvsadm refuses", () => {
  test.each([
    ["service tcp 10.9.0.1:80 rr", "Service already exists"],
    ["service tcp 10.9.0.2:80 wrrr", "Scheduler or persistence engine not found"],
    ["service tcp 10.9.0.2:80 sh mh-port", "incompatible scheduler flag `mh-port'"],
    ["service tcp 10.9.0.2:80 sh bogus", "invalid scheduler flag `bogus'"],
    ["service tcp 10.9.0.3:0 wlc", "Zero port specified for non-persistent service"],
    ["service tcp 10.9.0.3:80 wlc persist=0", "invalid timeout value `0' specified"],
    ["service tcp 10.9.0.3:80 wlc persist=x", "invalid timeout value `x' specified"],
    ["service fwmark 0 wlc", "invalid fwmark value `0' specified"],
    ["add 10.2.0.1:80", "Destination already exists"],
    ["add 10.2.0.1:80 upper 1 lower 2", "Numerical result out of range"],
    ["add 10.2.0.4:80 lower 2", "Numerical result out of range"],
    ["add 10.2.0.4:80 weight -1", "illegal weight specified"],
    ["add 10.2.0.4:80 weight 2147483648", "illegal weight specified"],
    ["add 10.2.0.4:80 weight x", "illegal weight specified"],
    ["add 10.2.0.4:80 upper -1", "illegal u_threshold specified"],
    ["add 10.2.0.4:80 upper 1 lower x", "illegal l_threshold specified"],
    ["edit 10.2.0.9:80 upper 1 lower 2", "Numerical result out of range"],
    ["edit 10.2.0.9:80", "No such destination"],
    ["delete 10.2.0.9:80", "No such destination"],
  ])("%s: %s", (command, message) => {
    expect(run(SERVICE, "add 10.2.0.1:80", command)).toEqual([`! ${command}: ${message}`]);
  });

  test("a server of a service that was refused", () => {
    expect(run("service tcp 10.9.0.1:80 wrrr", "add 10.2.0.1:80", ...opens("c1"))).toEqual([
      "! service tcp 10.9.0.1:80 wrrr: Scheduler or persistence engine not found",
      "! add 10.2.0.1:80: Service not defined",
      "c1 -",
    ]);
  });
});

describe("services", () => {
  const two = [SERVICE, "add 10.2.0.1:80", "service tcp 10.9.0.2:80 rr", "add 10.2.0.2:80"];

  test("commands and connections are for the last one named", () => {
    expect(picks(...two, ...opens("c1"), "open c2 from 10.1.0.1:4002 to 10.9.0.1:80")).toBe("21");
  });

  test("a mark comes before an address, and only mark 1 is set", () => {
    const marked = ["service fwmark 1 rr", "add 10.2.0.3:80", "open c1 from 10.1.0.1:4001 to 10.9.0.1:80"];
    expect(picks(...two, ...marked)).toBe("3");
    expect(picks(...two, ...marked.map((line) => line.replace("fwmark 1", "fwmark 2")))).toBe("1");
  });

  test("port 0 takes all ports of the address, and a client stays with its server on all of them", () => {
    const script = ["service tcp 10.9.0.1:0 rr persist=10", "add 10.2.0.1:80", "add 10.2.0.2:80", "add 10.2.0.2:81"];
    const connections = [80, 81, 80].map((port, index) => `open c${index} from 10.1.0.${index === 2 ? 9 : 1}:400${index} to 10.9.0.1:${port}`);
    expect(run(...script, ...connections)).toEqual(["c0 10.2.0.2:80", "c1 10.2.0.2:81", "c2 10.2.0.2:80"]);
  });

  test("a client's port 20 and other ports of the address are not for the service", () => {
    expect(picks(...two, "open c1 from 10.1.0.1:20", "open c2 from 10.1.0.1:21 to 10.9.0.1:81")).toBe("--");
  });

  test("the server's port is the connection's, port 0 means the port asked for", () => {
    const marked = ["service fwmark 1 rr", "add 10.2.0.1:8080", "open c1 from 10.1.0.1:4001 to 10.9.0.1:80"];
    expect(run(...marked)).toEqual(["c1 10.2.0.1:8080"]);
    const zero = ["service fwmark 1 rr", "add 10.2.0.2:80", "add 10.2.0.1:0", "open c1 from 10.1.0.1:4001 to 10.9.0.1:80"];
    expect(run(...zero)).toEqual(["c1 10.2.0.1:80"]);
  });

  test("a persistent mark keeps the port asked for, where perhaps nobody listens", () => {
    expect(picks("service fwmark 1 rr persist=9", "add 10.2.0.1:8080", "open c1 from 10.1.0.1:4001 to 10.9.0.1:80")).toBe("-");
  });
});

describe("connections", () => {
  const servers = ["service tcp 10.9.0.1:80 lc", "add 10.2.0.1:80", "add 10.2.0.2:80"];

  test("closed ones count as inactive for 120 s", () => {
    const script = [...servers, ...opens("c1 c2 c3"), "close c1", "close c3"];
    // .2 has two inactive, .1 one active: .2 until it has one active as well.
    expect(picks(...script, ...opens("c4 c5"))).toBe("21221");
    expect(picks(...script, "sleep 121", ...opens("c4 c5 c6"))).toBe("212221");
  });

  test("open ones are forgotten after 900 s", () => {
    expect(picks(...servers, ...opens("c1 c2 c3"), "sleep 901", "close c1", ...opens("c4 c5"))).toBe("21221");
  });

  test("a client's port that is open cannot be opened again, one that is closed goes to its server again", () => {
    const again = "open c2 from 10.1.0.1:4001";
    expect(picks(...servers, ...opens("c1"), again)).toBe("2-");
    expect(picks(...servers, ...opens("c1"), "close c1", "edit 10.2.0.2:80 weight 0", again)).toBe("22");
    expect(picks(...servers, ...opens("c1"), "close c1", "delete 10.2.0.2:80", again)).toBe("2-");
  });

  test("closing what was not served does nothing, a name opened again lets go of the former connection", () => {
    expect(picks(SERVICE, ...opens("c1"), "close c1", "add 10.2.0.1:80", ...opens("c1"))).toBe("-1");
    const script = [...servers, "open c1 from 10.1.0.1:4001", "open c1 from 10.1.0.1:4002", "open c1 from 10.1.0.1:4003"];
    expect(picks(...script, ...opens("c4"))).toBe("2121");
  });

  test("a deleted server keeps its connections and brings them back", () => {
    expect(picks(...servers, ...opens("c1 c2 c3"), "delete 10.2.0.2:80", "add 10.2.0.2:80", ...opens("c4"))).toBe("2121");
  });

  test("a FIN for a deleted server is dropped and sent again when the server is back", () => {
    const script = [...servers, ...opens("c1 c2 c3"), "delete 10.2.0.2:80", "close c1", "close c3", "add 10.2.0.2:80"];
    expect(picks(...script, ...opens("c4"))).toBe("2121");
    expect(picks(...script, "sleep 5", ...opens("c4 c5"))).toBe("21221");
  });

  test("a FIN that finds no server is given up after a while", () => {
    const script = [...servers, ...opens("c1"), "delete 10.2.0.2:80", "close c1", "sleep 150", "add 10.2.0.2:80", "sleep 60"];
    expect(picks(...script, ...opens("c2 c3"))).toBe("212");
  });
});

describe("limits and persistence", () => {
  test("a server at its limit is passed over until enough connections have expired", () => {
    const script = ["service tcp 10.9.0.1:80 fo", "add 10.2.0.1:80", "add 10.2.0.2:80 weight 9 upper 2", ...opens("c1 c2 c3")];
    expect(picks(...script, "close c1", ...opens("c4"))).toBe("2211");
    expect(picks(...script, "close c1", "sleep 121", ...opens("c4 c5"))).toBe("22121");
  });

  test("a client stays with its server, quiescent or at its limit, until it is deleted", () => {
    const script = ["service tcp 10.9.0.1:80 rr persist=60", "add 10.2.0.1:80", "add 10.2.0.2:80 upper 1", ...opens("c1 c2")];
    expect(picks(...script, "edit 10.2.0.2:80 weight 0", ...opens("c3"))).toBe("222");
    expect(picks(...script, "delete 10.2.0.2:80", ...opens("c3"))).toBe("221");
    expect(picks(...script, "delete 10.2.0.2:80", "add 10.2.0.2:80", ...opens("c3"))).toBe("222");
    expect(picks(...script, "delete 10.2.0.2:80", ...opens("c3"), "add 10.2.0.2:80", ...opens("c4"))).toBe("2211");
  });

  test("a template outlives its timeout while its connections exist, by a minute", () => {
    const script = ["service tcp 10.9.0.1:80 rr persist=5", "add 10.2.0.1:80", "add 10.2.0.2:80", ...opens("c1"), "close c1"];
    expect(picks(...script, "sleep 110", ...opens("c2"))).toBe("22");
    expect(picks(...script, "sleep 200", ...opens("c2"))).toBe("21");
  });
});

describe("options", () => {
  const always: Scheduler = { name: "rr", flags: ["always-1"], init: ({ dests }) => ({ schedule: () => dests.at(-1) }) };

  test("a scheduler of one's own, in the place of another, with its own flag", () => {
    const script = [`${SERVICE} always-1`, "add 10.2.0.1:80", "add 10.2.0.2:80", ...opens("c1 c2")].join("\n");
    const { lines } = runSchedScript(script, { schedulers: [always, ...SCHEDULERS] });
    expect(lines).toEqual(["c1 10.2.0.1:80", "c2 10.2.0.1:80"]);
  });

  test("the rules of a later kernel", () => {
    const script = ["service tcp 10.9.0.1:80 fo", "add 10.2.0.1:80 weight 9 upper 5", "add 10.2.0.2:80", ...opens("c1 c2"), "edit 10.2.0.1:80 weight 9 upper 2", ...opens("c3")].join("\n");
    const picksOf = (lines: readonly string[]) => lines.map((line) => line.slice(-4, -3)).join("");
    expect(picksOf(runSchedScript(script).lines)).toBe("111");
    const kernel = { ...LINUX_6_1_176, overheadIncludesTotal: true };
    expect(picksOf(runSchedScript(script, { kernel }).lines)).toBe("112");
  });

  test("twos draws the same in every run", () => {
    const script = ["service tcp 10.9.0.1:80 twos", "add 10.2.0.1:80", "add 10.2.0.2:80", ...opens("c1 c2 c3 c4 c5 c6 c7 c8")].join("\n");
    expect(runSchedScript(script)).toEqual(runSchedScript(script));
  });
});

/**
 * The shape of a scenario file as a schema: every key, its type, its bounds, in words that a person understands.
 *
 * What one value alone cannot tell (an address twice on a link, a step on an unknown host) is checked in scenario-checks.ts.
 */

import * as v from "valibot";
import { parseIpv4Address, parseIpv4Cidr } from "../base/ipv4-address.ts";
import { isGroupMac, parseMacAddress } from "../base/mac-address.ts";
import { durationNs, object, text } from "./schema-values.ts";
import { scenarioWorkloadSchema } from "./workload-schema.ts";
import { parseBandwidth, parseExpectation, parseLoss } from "./scenario-values.ts";

const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
/** net/core/dev.c:dev_valid_name. */
const INTERFACE_PATTERN = /^[^\s/:]{1,15}$/;
const MTU_MIN = 68;
const MTU_MAX = 65_535;
const GROUPS_MAX = 1000;
const LESSON_MODES = ["NAT", "DR", "TUN", "any"] as const;

const cidr = v.pipe(
  text("an address", "write 10.0.0.1/24"),
  v.check((value) => parseIpv4Cidr(value) !== undefined && value.includes("/"), "not an IPv4 address with a prefix length|write 10.0.0.1/24"),
  v.check((value) => isUsableAddress(parseIpv4Cidr(value)?.address), "no host can have this address|choose a unicast address"),
  v.transform((value) => parseIpv4Cidr(value) ?? { address: 0, prefixLength: 0 }),
);

function isUsableAddress(address: number | undefined): boolean {
  return address === undefined || (address >>> 28 < 14 && address >>> 24 !== 0);
}

const interfaceSchema = v.strictObject(
  {
    link: v.pipe(v.string("an interface must be on a link|add `link: NAME`"), v.regex(NAME_PATTERN, "not a link name|use letters, digits, `.`, `_` and `-`")),
    address: v.optional(v.union([cidr, v.array(cidr)], "an address must be a text or a list of texts|write 10.0.0.1/24 or [10.0.0.1/24, 10.0.0.2/24]")),
    mac: v.optional(
      v.pipe(
        text("mac", 'write it in quotes: "02:00:00:00:00:01"'),
        v.check((value) => parseMacAddress(value) !== undefined, 'not an Ethernet address|write "02:00:00:00:00:01"'),
        v.check(
          (value) => !isGroupMac(parseMacAddress(value) ?? 0) && parseMacAddress(value) !== 0,
          "a multicast or zero address cannot be an interface's own|make the first octet even",
        ),
        v.transform((value) => parseMacAddress(value) ?? 0),
      ),
    ),
    mtu: v.optional(
      v.pipe(
        v.number("mtu must be a number|1500 is usual"),
        v.integer("mtu must be a whole number|1500 is usual"),
        v.minValue(MTU_MIN, `mtu is below ${MTU_MIN}|1500 is usual`),
        v.maxValue(MTU_MAX, `mtu is above ${MTU_MAX}|1500 is usual`),
      ),
    ),
  },
  object("an interface", "write { link: lan, address: 10.0.0.1/24 }"),
);

const hostSchema = v.strictObject(
  {
    interfaces: v.record(
      v.pipe(v.string(), v.regex(INTERFACE_PATTERN, "not an interface name|at most 15 characters without blanks, `/` and `:`")),
      interfaceSchema,
      object("interfaces", "write eth0: { link: lan, address: 10.0.0.1/24 }"),
    ),
    gateway: v.optional(
      v.pipe(
        text("gateway", "write 10.0.0.254"),
        v.check((value) => parseIpv4Address(value) !== undefined, "not an IPv4 address|write 10.0.0.254"),
        v.transform((value) => parseIpv4Address(value) ?? 0),
      ),
    ),
    forward: v.optional(v.boolean("forward must be true or false|write `forward: true`")),
    files: v.optional(
      v.record(
        v.pipe(v.string(), v.regex(/^\/[^\0]*[^/\0]$/, "not an absolute path of a file|start with `/`")),
        v.string("a file's content must be a text|quote it"),
        object("files", "write /path: content"),
      ),
    ),
    run: v.optional(v.nullable(text("run", "use `run: |` and indented lines"))),
  },
  object("a host", "give it `interfaces`"),
);

const linkSchema = v.nullable(
  v.strictObject(
    {
      latency: v.optional(durationNs("latency")),
      bandwidth: v.optional(
        v.pipe(
          v.union([v.string(), v.number()], "bandwidth must be a rate|write 1Gbit, 100Mbit or 64kbit"),
          v.check((value) => parseBandwidth(value) !== undefined, "not a rate|write 1Gbit, 100Mbit or 64kbit"),
          v.transform((value) => parseBandwidth(value) ?? 0),
        ),
      ),
      loss: v.optional(
        v.pipe(
          v.union([v.string(), v.number()], "loss must be a percentage|write 0.5%"),
          v.check((value) => parseLoss(value) !== undefined, "not a percentage from 0% to 100%|write 0.5%"),
          v.transform((value) => parseLoss(value) ?? 0),
        ),
      ),
      queue: v.optional(
        v.pipe(
          v.number("queue must be a number of frames|1000 is usual"),
          v.integer("queue must be a whole number|1000 is usual"),
          v.minValue(1, "queue must be at least 1|1000 is usual"),
          v.maxValue(1_000_000, "queue is above 1000000|1000 is usual"),
        ),
      ),
    },
    object("a link", "write { latency: 20us, bandwidth: 1Gbit, loss: 0% }"),
  ),
);

const expectedText = (what: string) =>
  v.optional(
    v.pipe(
      text(what, "quote it"),
      v.check((value) => parseExpectation(value).error === undefined, "not a regular expression|check its brackets"),
    ),
  );

const stepSchema = v.strictObject(
  {
    at: v.optional(durationNs("at")),
    host: v.optional(text("host", "name one of the hosts")),
    run: v.optional(text("run", "write the command as a text")),
    timeout: v.optional(durationNs("timeout")),
    expect: v.optional(
      v.strictObject(
        {
          exit: v.optional(v.pipe(v.number("exit must be a number|0 is success"), v.integer("exit must be a whole number|0 is success"))),
          stdout: expectedText("stdout"),
          stderr: expectedText("stderr"),
        },
        object("expect", 'write { exit: 0, stdout: "..." }'),
      ),
    ),
    down: v.optional(text("down", "write HOST or HOST.INTERFACE")),
    up: v.optional(text("up", "write HOST or HOST.INTERFACE")),
    crash: v.optional(text("crash", "write the name of a host")),
    break: v.optional(text("break", "write LINK for its switch, HOST or HOST.INTERFACE for cables")),
    mend: v.optional(text("mend", "write LINK, HOST or HOST.INTERFACE")),
    impair: v.optional(text("impair", "write LINK, HOST or HOST.INTERFACE")),
    netem: v.optional(text("netem", "write it as behind tc's netem: loss 10% delay 50ms")),
    direction: v.optional(v.picklist(["in", "out", "both"], "direction must be in, out or both|the directions are the interface's")),
    partition: v.optional(text("partition", "write the name of a link")),
    groups: v.optional(
      v.pipe(
        v.array(
          v.pipe(
            v.array(text("a member", "write HOST or HOST.INTERFACE"), "a group must be a list of hosts|write [[a, b], [c]]"),
            v.minLength(1, "a group without members|name hosts, or leave the group out"),
          ),
          "groups must be a list of lists of hosts|write [[a, b], [c]]",
        ),
        v.maxLength(GROUPS_MAX, `more than ${GROUPS_MAX} groups|use fewer`),
      ),
    ),
    reboot: v.optional(text("reboot", "write the name of a host")),
    takes: v.optional(durationNs("takes")),
    poweroff: v.optional(text("poweroff", "write the name of a host")),
    kill: v.optional(text("kill", "write the name of a host")),
    process: v.optional(v.pipe(text("process", "write the name of a program"), v.minLength(1, "process is empty|write the name of a program"))),
    signal: v.optional(v.union([v.string(), v.number()], "signal must be a name or a number|KILL is usual")),
    slow: v.optional(text("slow", "write the name of a host")),
    by: v.optional(v.union([v.string(), v.number()], "by must be a time|write 200ms, or -30s for a clock")),
    backlog: v.optional(text("backlog", "write the name of a host")),
    port: v.optional(
      v.pipe(
        v.number("port must be a number|80 is the web server's"),
        v.integer("port must be a whole number|80 is the web server's"),
        v.minValue(1, "port is below 1|80 is the web server's"),
        v.maxValue(65_535, "port is above 65535|80 is the web server's"),
      ),
    ),
    full: v.optional(v.boolean("full must be true or false|write `full: true`")),
    clock: v.optional(text("clock", "write the name of a host")),
  },
  object("a step", "write { at: 1s, host: NAME, run: COMMAND }"),
);

const findings = v.array(v.pipe(text("a finding", "write its name"), v.regex(/^[a-z][a-z0-9-]*$/, "not the name of a finding|write it in small letters with hyphens")), "finding must be a name or a list of names|write vip-answered-by-others");

/** What a scenario of the library teaches. */
const lessonSchema = v.strictObject(
  {
    id: v.optional(v.pipe(text("id", "write the number of the lesson"), v.regex(/^[A-Z]\d{2}[a-z]?$/, "not a lesson's number|write a letter and two digits, such as A01"))),
    mode: v.optional(v.picklist(LESSON_MODES, `mode must be one of ${LESSON_MODES.join(", ")}|write the method of forwarding that the lesson is about`)),
    teaches: v.pipe(text("teaches", "write one line"), v.regex(/^[^\n]+\n?$/, "teaches must be one line|shorten it")),
    finding: v.optional(v.union([v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]*$/, "not the name of a finding|write it in small letters with hyphens")), findings])),
  },
  object("lesson", "write { id: A01, mode: DR, teaches: ... }"),
);

/** Keys of a lesson, for who looks for what an unknown one was meant to be. */
export const LESSON_KEYS: readonly string[] = Object.keys(lessonSchema.entries);

export const scenarioSchema = v.strictObject(
  {
    title: v.pipe(v.string("a scenario needs a title|add `title: ...` as the first line"), v.regex(/^[^\n]+\n?$/, "the title must be one line|shorten it")),
    source: v.optional(v.nullable(text("source", "name the document"))),
    description: v.optional(v.nullable(text("description", "use `description: |` and indented lines"))),
    lesson: v.optional(v.nullable(lessonSchema)),
    seed: v.optional(v.union([v.string(), v.number()], "seed must be a number or a text|1 is usual")),
    duration: v.optional(durationNs("duration")),
    links: v.optional(
      v.nullable(
        v.record(
          v.pipe(v.string(), v.regex(NAME_PATTERN, "not a link name|use letters, digits, `.`, `_` and `-`")),
          linkSchema,
          object("links", "write lan: { latency: 20us }"),
        ),
      ),
    ),
    hosts: v.record(
      v.pipe(v.string(), v.regex(NAME_PATTERN, "not a host name|use letters, digits, `.`, `_` and `-`")),
      hostSchema,
      "a scenario needs hosts|add `hosts:` with a mapping of names",
    ),
    timeline: v.optional(v.nullable(v.array(stepSchema, "timeline must be a list of steps|write - { at: 1s, host: NAME, run: COMMAND }"))),
    workload: v.optional(v.nullable(v.array(scenarioWorkloadSchema, "workload must be a list|write - { from: client, to: 10.0.0.100:80, ... }"))),
  },
  object("a scenario file", "start with `title:` and `hosts:`"),
);

/** Keys of a step, for who looks for what an unknown one was meant to be. */
export const STEP_KEYS: readonly string[] = Object.keys(stepSchema.entries);

export type RawScenario = v.InferOutput<typeof scenarioSchema>;

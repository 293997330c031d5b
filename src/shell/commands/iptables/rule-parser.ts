/**
 * An iptables command line as a command: what to do, where, and the rules that it describes.
 *
 * iptables v1.8.9 iptables/xshared.c (do_parse), iptables/iptables.c (do_command4).
 */

import { ANY_PACKET, type PacketMatch, type RuleSpec, type TargetSpec } from "../../../host/netfilter/rule.ts";
import { ExtensionUse, type MatchExtension, type ReadContext, type TargetExtension, XtablesError } from "./extension.ts";
import type { Names } from "./names.ts";
import { type AnyUse, OptionScanner } from "./option-scanner.ts";
import { type Counters, MATCH_EXTENSIONS, savedRule, TARGET_EXTENSIONS } from "./rule-text.ts";
import { parseHost, parseInteger, parseMask } from "./values.ts";

const CHAIN_NAME_MAX = 29;
const DEVICE_NAME_MAX = 15;
const VERDICTS: readonly string[] = ["ACCEPT", "DROP", "RETURN"];

/** Extensions that the real program has and this one has not. */
const UNSIMULATED_MATCHES =
  "ah bpf cgroup cluster connbytes connlabel cpu dccp devgroup ecn esp hashlimit helper ipcomp nfacct osf owner physdev policy quota rateest realm rpfilter set socket string time u32 udplite";
const UNSIMULATED_TARGETS =
  "AUDIT CHECKSUM CLASSIFY CLUSTERIP CONNSECMARK ECN HMARK IDLETIMER LED NFLOG NFQUEUE QUEUE RATEEST SECMARK SET SYNPROXY TCPOPTSTRIP TEE TPROXY TRACE ULOG";

export interface Addresses {
  readonly address: number;
  readonly mask: number;
}

/** A rule before it is known whether its jump is a chain. */
export interface RuleDraft {
  readonly packet: PacketMatch;
  readonly sources: readonly Addresses[];
  readonly destinations: readonly Addresses[];
  readonly matches: RuleSpec["matches"];
  /** Absent: the jump names a chain, or nothing. */
  readonly target: TargetSpec | undefined;
  readonly jump: string;
  readonly isGoto: boolean;
  readonly counters: Counters;
}

export interface ParsedCommand {
  /** A letter, `l` after it for a number: D and Dn, Z and Zn; "LZ" and "SZ" for both. */
  readonly letters: readonly string[];
  readonly table: string;
  readonly chain: string | undefined;
  readonly newName: string | undefined;
  readonly policy: string | undefined;
  /** Counts from 1; 0: none was given. */
  readonly ruleNumber: number;
  readonly draft: RuleDraft;
  readonly verbosity: number;
  readonly isNumeric: boolean;
  readonly isExact: boolean;
  readonly hasLineNumbers: boolean;
}

export interface ParseContext {
  readonly names: Names;
  readonly isRestore: boolean;
  warn(text: string): void;
}

/** The command wants help or the version. */
export class HelpRequest extends Error {
  override readonly name = "HelpRequest";
  readonly what: "help" | "version";

  constructor(what: "help" | "version") {
    super(what);
    this.what = what;
  }
}

/** Option letters in the order of the kernel tool's table, and for each command those that it refuses. */
const CHECKED_OPTIONS = "nsdpjvxio0cf";
const REFUSED: Readonly<Record<string, string>> = { I: "nx0", D: "nx0c", Dn: "nsdpjxio0cf", R: "nx0", A: "nx0", C: "nx0c", L: "sdpjiocf", P: "nsdpjxio0f" };
const REFUSED_BY_OTHERS = "nsdpjxio0cf";

/** Options that `!` may stand before. */
const INVERTIBLE = "sdpiof";

class CommandParser {
  readonly #scanner: OptionScanner;
  readonly #context: ParseContext;
  readonly #uses: AnyUse[] = [];
  readonly #matchUses: ExtensionUse<MatchExtension>[] = [];
  #targetUse: ExtensionUse<TargetExtension> | undefined;
  #packet: { -readonly [K in keyof PacketMatch]: PacketMatch[K] } = { ...ANY_PACKET };
  #letters: string[] = [];
  readonly #options = new Set<string>();
  #table = "filter";
  #chain: string | undefined;
  #newName: string | undefined;
  #policy: string | undefined;
  #ruleNumber = 0;
  #source: string | undefined;
  #destination: string | undefined;
  #jump = "";
  #isGoto = false;
  #verdict: TargetSpec | undefined;
  #counters: Counters = { packets: 0, bytes: 0 };
  #verbosity = 0;
  #isInverted = false;
  #protocolWord = "";
  #isProtocolLoaded = false;
  #hasWait = false;
  #hasWaitInterval = false;

  constructor(words: readonly string[], context: ParseContext) {
    this.#scanner = new OptionScanner(words);
    this.#context = context;
  }

  run(): ParsedCommand {
    for (let scanned = this.#scanner.next(this.#uses); scanned !== undefined; scanned = this.#scanner.next(this.#uses)) {
      switch (scanned.kind) {
        case "word":
          this.#word(scanned.word);
          continue;
        case "missing":
          throw new XtablesError(`option "${scanned.word}" requires an argument`);
        case "unknown":
          if (scanned.text.startsWith("--") && this.#loadProtocolMatch()) {
            this.#scanner.stepBack();
            continue;
          }
          throw new XtablesError(`unknown option "${scanned.text}"`);
        case "extension":
          scanned.use.accept(scanned.option, scanned.value, this.#readContext());
          break;
        case "base":
          this.#base(scanned.letter, scanned.value, scanned.word);
      }
      this.#isInverted = false;
    }
    return this.#finish();
  }

  #readContext(): ReadContext {
    return {
      names: this.#context.names,
      protocol: this.#packet.isProtocolInverted ? 0 : this.#packet.protocol,
      isInverted: this.#isInverted,
      nextWord: () => (this.#scanner.hasArgument() ? this.#scanner.takeWord() : undefined),
      warn: (text) => this.#context.warn(text),
    };
  }

  #word(word: string): void {
    if (word !== "!") throw new XtablesError(`Bad argument \`${word}'`, { isBare: true });
    if (this.#isInverted) throw new XtablesError("multiple consecutive ! not allowed");
    this.#isInverted = true;
  }

  /** The match that goes with -p is loaded when the first option comes that nobody knows. */
  #loadProtocolMatch(): boolean {
    if (this.#isProtocolLoaded || this.#protocolWord === "") return false;
    const name = this.#context.names.protocolName(this.#packet.protocol);
    const extension = name === undefined ? undefined : MATCH_EXTENSIONS.get(name);
    if (extension === undefined || !["tcp", "udp", "sctp", "icmp"].includes(extension.name)) return false;
    this.#isProtocolLoaded = true;
    this.#addMatch(extension);
    return true;
  }

  #addMatch(extension: MatchExtension): void {
    const use = new ExtensionUse(extension);
    this.#matchUses.push(use);
    this.#uses.push(use);
  }

  #setOption(letter: string): void {
    if (this.#options.has(letter)) throw new XtablesError(`multiple -${letter} flags not allowed`);
    this.#options.add(letter);
    if (this.#isInverted && !INVERTIBLE.includes(letter)) throw new XtablesError(`cannot have ! before -${letter}`);
  }

  #addCommand(letter: string, allowedWith: string): void {
    if (this.#isInverted) throw new XtablesError("unexpected '!' flag");
    const [other] = this.#letters.filter((earlier) => !allowedWith.includes(earlier.charAt(0)));
    if (other !== undefined) throw new XtablesError(`Cannot use -${letter} with -${other.charAt(0)}`);
    this.#letters.push(letter);
  }

  #base(letter: string, value: string | undefined, word: string): void {
    if ("ADCIRLSFZNXEP".includes(letter)) {
      this.#command(letter, value);
      return;
    }
    switch (letter) {
      case "s":
      case "d":
        this.#setOption(letter);
        if (letter === "s") this.#source = word;
        else this.#destination = word;
        if (letter === "s") this.#packet.isSrcInverted = this.#isInverted;
        else this.#packet.isDstInverted = this.#isInverted;
        return;
      case "p":
        this.#protocol(word);
        return;
      case "j":
      case "g":
        this.#jumpTo(letter, letter === "j" ? word : (value ?? ""));
        return;
      case "i":
      case "o":
        this.#device(letter, word);
        return;
      case "f":
        this.#setOption("f");
        this.#packet.fragment = this.#isInverted ? "not" : "only";
        return;
      case "m":
        if (this.#isInverted) throw new XtablesError("unexpected ! flag before --match");
        this.#addMatch(findMatch(value ?? ""));
        return;
      case "t":
        if (this.#isInverted) throw new XtablesError("unexpected ! flag before --table");
        if (this.#context.isRestore) throw new XtablesError(`The -t option cannot be used in iptables-restore.\n`);
        this.#table = value ?? "";
        return;
      case "c":
        this.#setCounters(value ?? "");
        return;
      default:
        this.#flag(letter, value);
    }
  }

  #flag(letter: string, value: string | undefined): void {
    switch (letter) {
      case "v":
        if (this.#verbosity === 0) this.#setOption("v");
        this.#verbosity++;
        return;
      case "n":
      case "x":
      case "0":
        this.#setOption(letter);
        return;
      case "w":
        this.#hasWait = true;
        this.#wait(value);
        return;
      case "W":
        this.#hasWaitInterval = true;
        this.#context.warn("Ignoring deprecated --wait-interval option.\n");
        this.#wait(value);
        return;
      case "V":
        throw new HelpRequest("version");
      case "h":
        throw new HelpRequest("help");
      case "6":
        throw new XtablesError("", { isBare: true });
      default:
    }
  }

  #wait(value: string | undefined): void {
    const seconds = value ?? (this.#scanner.hasArgument() ? this.#scanner.takeWord() : undefined);
    if (seconds !== undefined && parseInteger(seconds) === undefined && !/^\d+(\.\d+)?$/.test(seconds)) throw new XtablesError("wait seconds not numeric");
  }

  #command(letter: string, value: string | undefined): void {
    const attachedOrNext = (): string | undefined => value ?? (this.#scanner.hasArgument() ? this.#scanner.takeWord() : undefined);
    switch (letter) {
      case "A":
      case "C":
        this.#addCommand(letter, "");
        this.#chain = value;
        return;
      case "D":
        this.#addCommand(letter, "");
        this.#chain = value;
        if (this.#scanner.hasArgument()) {
          this.#ruleNumber = ruleNumber(this.#scanner.takeWord() ?? "");
          this.#letters = ["Dn"];
        }
        return;
      case "R":
      case "I":
        this.#addCommand(letter, "");
        this.#chain = value;
        if (this.#scanner.hasArgument()) this.#ruleNumber = ruleNumber(this.#scanner.takeWord() ?? "");
        else if (letter === "R") throw new XtablesError("-R requires a rule number");
        else this.#ruleNumber = 1;
        return;
      case "L":
      case "S":
      case "Z":
        this.#addCommand(letter, letter === "Z" ? "LS" : "Z");
        this.#chain = attachedOrNext() ?? this.#chain;
        if (this.#scanner.hasArgument()) {
          this.#ruleNumber = ruleNumber(this.#scanner.takeWord() ?? "");
          if (letter === "Z") this.#letters = this.#letters.map((earlier) => (earlier === "Z" ? "Zn" : earlier));
        }
        return;
      case "F":
      case "X":
        this.#addCommand(letter, "");
        this.#chain = attachedOrNext();
        return;
      case "N":
        checkChainName(value ?? "");
        this.#addCommand(letter, "");
        this.#chain = value;
        return;
      case "E":
        this.#addCommand(letter, "");
        this.#chain = value;
        if (!this.#scanner.hasArgument()) throw new XtablesError("-E requires old-chain-name and new-chain-name");
        this.#newName = this.#scanner.takeWord();
        return;
      default:
        this.#addCommand(letter, "");
        this.#chain = value;
        if (!this.#scanner.hasArgument()) throw new XtablesError("-P requires a chain and a policy");
        this.#policy = this.#scanner.takeWord();
    }
  }

  #protocol(word: string): void {
    this.#setOption("p");
    const lower = word.toLowerCase();
    const number = parseInteger(lower, 255) ?? (lower === "all" ? 0 : this.#context.names.protocol(lower));
    if (number === undefined) throw new XtablesError(`unknown protocol "${lower}" specified`);
    this.#packet.protocol = number;
    this.#packet.isProtocolInverted = this.#isInverted;
    this.#protocolWord = lower;
    if (number === 0 && this.#isInverted) throw new XtablesError("rule would never match protocol");
  }

  #device(letter: "i" | "o", name: string): void {
    if (name === "") throw new XtablesError("Empty interface is likely to be undesired");
    this.#setOption(letter);
    if (name.length > DEVICE_NAME_MAX) throw new XtablesError(`interface name \`${name}' must be shorter than IFNAMSIZ (${DEVICE_NAME_MAX})`);
    if (/[/ ]/.test(name)) this.#context.warn(`Warning: weird character in interface \`${name}' ('/' and ' ' are not allowed by the kernel).\n`);
    if (letter === "i") {
      this.#packet.input = name;
      this.#packet.isInputInverted = this.#isInverted;
    } else {
      this.#packet.output = name;
      this.#packet.isOutputInverted = this.#isInverted;
    }
  }

  #jumpTo(letter: "j" | "g", name: string): void {
    this.#setOption("j");
    if (name === "") throw new XtablesError("Invalid target name (too short)");
    if (name.length >= CHAIN_NAME_MAX) throw new XtablesError(`Invalid target name \`${name}' (${CHAIN_NAME_MAX - 1} chars max)`);
    if (/\s/.test(name)) throw new XtablesError(`Invalid target name \`${name}'`);
    this.#jump = name;
    this.#isGoto = letter === "g";
    if (letter === "g") return;
    if (VERDICTS.includes(name)) {
      this.#verdict = { kind: "verdict", verdict: name as "ACCEPT" | "DROP" | "RETURN" };
      return;
    }
    if (UNSIMULATED_TARGETS.split(" ").includes(name)) throw new XtablesError(`the simulator does not support target "${name}"`);
    const extension = TARGET_EXTENSIONS.get(name);
    if (extension === undefined) return;
    this.#targetUse = new ExtensionUse(extension);
    this.#uses.push(this.#targetUse);
  }

  #setCounters(packets: string): void {
    this.#setOption("c");
    const bytes = this.#scanner.hasArgument() ? this.#scanner.takeWord() : undefined;
    if (bytes === undefined) throw new XtablesError("-c requires packet and byte counter");
    if (!/^\d+$/.test(packets)) throw new XtablesError("-c packet counter not numeric");
    if (!/^\d+$/.test(bytes)) throw new XtablesError("-c byte counter not numeric");
    this.#counters = { packets: Number(packets), bytes: Number(bytes) };
  }

  #finish(): ParsedCommand {
    const matches = this.#matchUses.map((use) => {
      const match = use.extension.build(use.values, this.#packet);
      use.check();
      return match;
    });
    const target = this.#verdict ?? this.#targetUse?.extension.build(this.#targetUse.values, this.#packet);
    this.#targetUse?.check();
    if (this.#hasWaitInterval && !this.#hasWait) throw new XtablesError("--wait-interval only makes sense with --wait\n");
    if (this.#scanner.remaining.length > 0) throw new XtablesError("unknown arguments found on commandline");
    const [command] = this.#letters;
    if (command === undefined) throw new XtablesError("no command specified");
    if (this.#isInverted) throw new XtablesError("nothing appropriate following !");
    const isRule = ["A", "C", "D", "I", "R"].includes(command);
    const sources = isRule ? parseAddresses(this.#source, this.#context.names) : [];
    const destinations = isRule ? parseAddresses(this.#destination, this.#context.names) : [];
    if ((sources.length > 1 || destinations.length > 1) && (this.#packet.isSrcInverted || this.#packet.isDstInverted)) {
      throw new XtablesError("! not allowed with multiple source or destination IP addresses");
    }
    if (command === "R" && (sources.length > 1 || destinations.length > 1)) throw new XtablesError("Replacement rule does not specify a unique address");
    this.#checkOptions();
    if (this.#chain !== undefined && this.#chain.length >= CHAIN_NAME_MAX)
      throw new XtablesError(`chain name \`${this.#chain}' too long (must be under ${CHAIN_NAME_MAX} chars)`);
    if (isRule) this.#checkDevices(this.#chain ?? "");
    return {
      letters: this.#letters,
      table: this.#table,
      chain: this.#chain,
      newName: this.#newName,
      policy: this.#policy,
      ruleNumber: this.#ruleNumber,
      draft: { packet: this.#packet, sources, destinations, matches, target, jump: this.#jump, isGoto: this.#isGoto, counters: this.#counters },
      verbosity: this.#verbosity,
      isNumeric: this.#options.has("n"),
      isExact: this.#options.has("x"),
      hasLineNumbers: this.#options.has("0"),
    };
  }

  /** generic_opt_check: an option is refused when all commands on the line refuse it. */
  #checkOptions(): void {
    for (const option of CHECKED_OPTIONS) {
      if (!this.#options.has(option)) continue;
      if (this.#letters.every((letter) => (REFUSED[letter] ?? REFUSED_BY_OTHERS).includes(option)))
        throw new XtablesError(`Illegal option \`-${option}' with this command`);
    }
  }

  #checkDevices(chain: string): void {
    if ((chain === "PREROUTING" || chain === "INPUT") && this.#options.has("o")) throw new XtablesError(`Can't use -o with ${chain}\n`);
    if ((chain === "POSTROUTING" || chain === "OUTPUT") && this.#options.has("i")) throw new XtablesError(`Can't use -i with ${chain}\n`);
  }
}

export function parseCommandLine(words: readonly string[], context: ParseContext): ParsedCommand {
  return new CommandParser(words, context).run();
}

function findMatch(name: string): MatchExtension {
  const extension = MATCH_EXTENSIONS.get(name);
  if (extension !== undefined) return extension;
  if (UNSIMULATED_MATCHES.split(" ").includes(name)) throw new XtablesError(`the simulator does not support match "${name}"`);
  throw new XtablesError(`Couldn't load match \`${name}':No such file or directory\n`);
}

function ruleNumber(text: string): number {
  const number = parseInteger(text, 0x7fffffff);
  if (number === undefined || number === 0) throw new XtablesError(`Invalid rule number \`${text}'`);
  return number;
}

function checkChainName(name: string): void {
  const first = name.charAt(0);
  if (first === "-" || first === "!") throw new XtablesError(`chain name not allowed to start with \`${first}'`);
  if (VERDICTS.includes(name) || TARGET_EXTENSIONS.has(name) || UNSIMULATED_TARGETS.split(" ").includes(name))
    throw new XtablesError("chain name may not clash with target name");
  if (/\s/.test(name)) throw new XtablesError(`Invalid chain name \`${name}'`);
}

/** `a,b/24,...`: each one makes a rule of its own. */
function parseAddresses(text: string | undefined, names: Names): readonly Addresses[] {
  if (text === undefined) return [{ address: 0, mask: 0 }];
  const seen: Addresses[] = [];
  for (const part of text.split(",")) {
    const slash = part.indexOf("/");
    const mask = parseMask(slash < 0 ? undefined : part.slice(slash + 1));
    const host = slash < 0 ? part : part.slice(0, slash);
    const address = mask === 0 && /^\d/.test(host) ? 0 : parseHost(host, names);
    if (address === undefined) throw new XtablesError(`host/network \`${host}' not found`);
    seen.push({ address: (address & mask) >>> 0, mask });
  }
  return seen;
}

/** The rules that a draft stands for, once its jump is settled. */
export function rulesOf(draft: RuleDraft, target: TargetSpec): readonly RuleSpec[] {
  const rules: RuleSpec[] = [];
  for (const source of draft.sources) {
    for (const destination of draft.destinations) {
      const packet = { ...draft.packet, src: source.address, srcMask: source.mask, dst: destination.address, dstMask: destination.mask };
      rules.push(newRule(packet, draft.matches, target));
    }
  }
  return rules;
}

export function newRule(packet: PacketMatch, matches: RuleSpec["matches"], target: TargetSpec): RuleSpec {
  return {
    packet,
    matches,
    target,
    describe(): string {
      return savedRule(this).trimStart();
    },
  };
}

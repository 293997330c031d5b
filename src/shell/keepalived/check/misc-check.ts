/**
 * MISC_CHECK: a script says whether a server is up, and with misc_dynamic what weight it gets.
 *
 * keepalived v2.2.7 check/check_misc.c.
 */

import { NS_PER_US } from "../../../base/time.ts";
import { formatReal, formatServer } from "../config/addresses.ts";
import type { Checker, CheckKind } from "../config/model.ts";
import type { DaemonTimer } from "../daemon-process.ts";
import type { ScriptEnd } from "../script-runner.ts";
import { checkTimes, type CheckContext, type CheckRunner, type CheckTimes, logsFailures } from "./check-context.ts";

type MiscKind = Extract<CheckKind, { readonly type: "MISC_CHECK" }>;

const TERMINATION_US = 2_000_000;
const STUBBORN_US = 10_000_000;
/** Exit statuses from here on stand for a weight that is so much less. */
const DYNAMIC_OFFSET = 2;

export class MiscCheck implements CheckRunner {
  readonly #checker: Checker;
  readonly #kind: MiscKind;
  readonly #context: CheckContext;
  readonly #times: CheckTimes;
  #state: "idle" | "running" | "terminating" | "forcing" = "idle";
  #timer: DaemonTimer | undefined;

  constructor(checker: Checker, kind: MiscKind, context: CheckContext) {
    this.#checker = checker;
    this.#kind = kind;
    this.#context = context;
    this.#times = checkTimes(checker);
  }

  begin(): void {
    const { daemon, scripts } = this.#context;
    const script = this.#kind.script;
    if (!this.#checker.isEnabled || script === undefined) {
      daemon.after(this.#times.delayLoopUs, () => this.begin());
      return;
    }
    this.#kind.lastRanNs = daemon.nowNs;
    this.#state = "running";
    const pid = scripts.start(script, [], (end) => {
      this.#timer?.cancel();
      this.#ended(end);
    });
    const timeoutUs = this.#kind.timeoutUs > 0 ? this.#kind.timeoutUs : this.#checker.server.delayLoopUs;
    if (pid !== undefined) this.#timer = daemon.after(timeoutUs, () => this.#late(pid));
  }

  #late(pid: number): void {
    const { daemon, scripts, log } = this.#context;
    let delayUs = TERMINATION_US;
    if (this.#state === "running") {
      this.#state = "terminating";
      scripts.kill(pid, "TERM");
    } else {
      if (this.#state === "forcing") {
        log.line(`Child (PID ${pid}) failed to terminate after kill`);
        delayUs = STUBBORN_US;
      }
      this.#state = "forcing";
      scripts.kill(pid, "KILL");
    }
    this.#timer = daemon.after(delayUs, () => this.#late(pid));
  }

  #ended(end: ScriptEnd): void {
    const checker = this.#checker;
    const { states, daemon } = this.#context;
    let text: string | undefined;
    let reason = "";
    let isGood = false;
    let isMessageOnly = false;
    const isNews = checker.isUp || !checker.hasRun;
    if (end.kind === "exit" && (end.status === 0 || (this.#kind.isDynamic && end.status >= DYNAMIC_OFFSET))) {
      this.#takeWeight(end.status);
      if (!checker.isUp || !checker.hasRun) {
        text = "succeeded";
        isGood = true;
      }
      checker.retries = 0;
    } else if (isNews) {
      if (end.kind === "exit") {
        text = "failed";
        reason = ` (exited with status ${end.status})`;
      } else if (this.#isOurs(end)) text = "timed out";
      else {
        text = "failed";
        reason = ` (due to signal ${end.number})`;
      }
      if (checker.retries < this.#times.retry) {
        checker.retries++;
        if (logsFailures(checker, this.#context) || this.#context.global.logsAllCheckerFailures || checker.logsAllFailures) isMessageOnly = true;
        else text = undefined;
      } else {
        checker.retries = 0;
        if (end.kind === "exit") {
          checker.real.effectiveWeight -= checker.currentWeight;
          checker.currentWeight = 0;
          this.#kind.lastExit = end.status;
        }
      }
    }
    if (text !== undefined) {
      this.#say(`${text}${isGood ? "" : this.#retryText()}${reason}`);
      if (!isMessageOnly) {
        const wasAlive = checker.real.isAlive;
        states.checked(isGood, checker);
        if (!isGood) checker.currentWeight = 0;
        states.mailAbout(checker, `=> MISC CHECK ${text} on service <=`, wasAlive);
      }
    }
    const delayUs = checker.retries > 0 ? this.#times.delayBeforeRetryUs : this.#times.delayLoopUs;
    daemon.at(Math.max(this.#kind.lastRanNs + delayUs * NS_PER_US, daemon.nowNs + NS_PER_US), () => this.begin());
    this.#state = "idle";
    checker.hasRun = true;
  }

  /** It died of what was sent to it for being late. */
  #isOurs(end: Extract<ScriptEnd, { readonly kind: "signal" }>): boolean {
    if (this.#state === "terminating") return end.signal === "TERM";
    return this.#state === "forcing" && (end.signal === "TERM" || end.signal === "KILL");
  }

  #takeWeight(status: number): void {
    const checker = this.#checker;
    const { real } = checker;
    if (status === this.#kind.lastExit) return;
    const others = real.effectiveWeight - checker.currentWeight;
    checker.currentWeight = status === 0 ? 0 : status - DYNAMIC_OFFSET - (real.weight ?? 1);
    this.#context.states.setWeight(others + checker.currentWeight, checker.server, real, true);
    this.#kind.lastExit = status;
  }

  #retryText(): string {
    const { retry } = this.#times;
    const { retries } = this.#checker;
    const plural = retry === 1 ? "retry" : "retries";
    if (retry === 0) return " with retry disabled";
    if (retries === 1) return `, will do ${retry} ${plural}`;
    return retries > 1 ? ` on retry ${retries - 1}/${retry}` : ` after ${retry} ${plural}`;
  }

  #say(text: string): void {
    const checker = this.#checker;
    this.#context.log.line(`Misc check for [${formatReal(checker.real, checker.server)} VS ${formatServer(checker.server)}] by [${this.#kind.script?.args[0]}] ${text}.`);
  }
}

/**
 * Sync groups: all members are master, or none.
 *
 * keepalived v2.2.7 vrrp/vrrp_sync.c.
 */

import type { SyncGroupConfig, VrrpStateName } from "../config/model.ts";
import type { Instance } from "./instance.ts";
import type { VrrpContext } from "./vrrp-context.ts";

export class SyncGroup {
  readonly config: SyncGroupConfig;
  readonly members: Instance[] = [];
  state: VrrpStateName = "INIT";
  faultyMembers = 0;
  waitingMembers = 0;
  isSameAfterReload = false;
  readonly #context: VrrpContext;
  #mailedState: VrrpStateName = "INIT";

  constructor(config: SyncGroupConfig, context: VrrpContext) {
    this.config = config;
    this.#context = context;
  }

  add(member: Instance): void {
    this.members.push(member);
    member.group = this;
    const isOwner = member.wantState === "MASTER" && member.isOwner;
    if (this.state !== "BACKUP") this.state = isOwner ? "MASTER" : "BACKUP";
  }

  /** A member may become master when all others want that too. */
  allowsMaster(member: Instance): boolean {
    if (this.state === "MASTER") return true;
    if (this.members.every((other) => other === member || other.wantState === "MASTER")) return true;
    member.resetDownTimer();
    member.restartTimer();
    return false;
  }

  becomeBackup(cause: Instance): void {
    if (this.state === "BACKUP") return;
    this.#say("BACKUP");
    for (const member of this.members) {
      if (member === cause || member.state === "BACKUP") continue;
      member.wantState = "BACKUP";
      if (member.state === "FAULT" || member.state === "INIT") member.leaveFault();
      else member.leaveMaster(false);
    }
    this.state = "BACKUP";
    this.notify();
  }

  becomeMaster(cause: Instance): void {
    if (this.state === "MASTER" || !this.allowsMaster(cause)) return;
    this.#say("MASTER");
    for (const member of this.members) {
      if (member === cause || member.state === "MASTER") continue;
      member.wantState = "MASTER";
      member.goMaster();
    }
    this.state = "MASTER";
    this.notify();
  }

  fail(cause: Instance): void {
    if (this.state === "FAULT") return;
    this.#say("FAULT");
    for (const member of this.members) {
      if (member === cause || member.state === "FAULT") continue;
      member.wantState = "FAULT";
      if (member.state === "MASTER") member.leaveMaster(false);
      else if (member.state === "BACKUP" || member.state === "INIT") {
        member.state = "FAULT";
        member.leaveFault();
      }
    }
    this.state = "FAULT";
    this.notify();
  }

  #mail(): void {
    const { global, mailer } = this.#context;
    const { state } = this;
    if (this.config.alerts !== true || (global.hasNoFaultMail && state === "FAULT") || this.#mailedState === state || state === "INIT" || state === "DELETED") return;
    const isEnd = state === "STOP";
    mailer.send(`VRRP Group ${this.config.name}`, isEnd ? "Stopping" : `Entering ${state} state`, `=> All VRRP group instances are now ${isEnd ? "stopping" : `in ${state} state`} <=`);
    this.#mailedState = state;
  }

  #say(state: string): void {
    this.#context.log.line(`VRRP_Group(${this.config.name}) Syncing instances to ${state} state`);
  }

  notify(): void {
    const { scripts, name } = this.config;
    this.#mail();
    const script = { BACKUP: scripts.backup, MASTER: scripts.master, FAULT: scripts.fault, STOP: scripts.stop, INIT: undefined, DELETED: undefined }[this.state];
    if (script !== undefined) this.#context.runScript(script, []);
    if (scripts.any !== undefined) this.#context.runScript(scripts.any, ["GROUP", name, this.state, "0"]);
  }
}

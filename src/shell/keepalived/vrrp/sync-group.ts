/**
 * Sync groups: all members are master, or none.
 *
 * keepalived v2.2.7 vrrp/vrrp_sync.c.
 */

import type { SyncGroupConfig, VrrpStateName } from "../config/model.ts";
import type { Instance } from "./instance.ts";
import { GROUP_MAILS, StateMail } from "./state-mail.ts";
import type { VrrpContext } from "./vrrp-context.ts";

export class SyncGroup {
  readonly config: SyncGroupConfig;
  readonly members: Instance[] = [];
  state: VrrpStateName = "INIT";
  faultyMembers = 0;
  waitingMembers = 0;
  isSameAfterReload = false;
  readonly #context: VrrpContext;
  readonly #mail: StateMail;

  constructor(config: SyncGroupConfig, context: VrrpContext) {
    this.config = config;
    this.#context = context;
    this.#mail = new StateMail(context, `VRRP Group ${config.name}`, config.alerts === true, GROUP_MAILS);
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

  #say(state: string): void {
    this.#context.log.line(`VRRP_Group(${this.config.name}) Syncing instances to ${state} state`);
  }

  notify(): void {
    const { scripts, name } = this.config;
    this.#mail.changed(this.state);
    const script = { BACKUP: scripts.backup, MASTER: scripts.master, FAULT: scripts.fault, STOP: scripts.stop, INIT: undefined, DELETED: undefined }[this.state];
    if (script !== undefined) this.#context.runScript(script, []);
    if (scripts.any !== undefined) this.#context.runScript(scripts.any, ["GROUP", name, this.state, "0"]);
  }
}

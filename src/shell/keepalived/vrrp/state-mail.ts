/**
 * Mail about the state of an instance or a group: once for each change, as far as somebody wants it.
 *
 * keepalived v2.2.7 vrrp/vrrp_notify.c (vrrp_smtp_notifier, vrrp_sync_smtp_notifier).
 */

import type { VrrpStateName } from "../config/model.ts";
import type { VrrpContext } from "./vrrp-context.ts";

type Mails = Readonly<Partial<Record<VrrpStateName, { readonly subject: string; readonly body: string }>>>;

const NOT_OWNING = "=> VRRP Instance is no longer owning VRRP VIPs <=";
export const INSTANCE_MAILS: Mails = {
  MASTER: { subject: "Entering MASTER state", body: "=> VRRP Instance is now owning VRRP VIPs <=" },
  BACKUP: { subject: "Entering BACKUP state", body: NOT_OWNING },
  FAULT: { subject: "Entering FAULT state", body: NOT_OWNING },
  STOP: { subject: "Stopping", body: "=> VRRP Instance stopping <=" },
  DELETED: { subject: "Deleted", body: "=> VRRP Deleted at reload <=" },
};

const ofGroup = (state: string): { readonly subject: string; readonly body: string } => ({
  subject: `Entering ${state} state`,
  body: `=> All VRRP group instances are now in ${state} state <=`,
});
export const GROUP_MAILS: Mails = {
  MASTER: ofGroup("MASTER"),
  BACKUP: ofGroup("BACKUP"),
  FAULT: ofGroup("FAULT"),
  STOP: { subject: "Stopping", body: "=> All VRRP group instances are now stopping <=" },
};

export class StateMail {
  /** What was mailed last. */
  state: VrrpStateName = "INIT";
  readonly #context: VrrpContext;
  readonly #about: string;
  readonly #isWanted: boolean;
  readonly #mails: Mails;

  constructor(context: VrrpContext, about: string, isWanted: boolean, mails: Mails) {
    this.#context = context;
    this.#about = about;
    this.#isWanted = isWanted;
    this.#mails = mails;
  }

  changed(state: VrrpStateName): void {
    const { global, mailer } = this.#context;
    const text = this.#mails[state];
    if (!this.#isWanted || text === undefined || state === this.state || (global.hasNoFaultMail && state === "FAULT")) return;
    mailer.send(this.#about, text.subject, text.body);
    this.state = state;
  }
}

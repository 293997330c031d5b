/**
 * What an instance counts, as `kill -USR2` writes it to /tmp/keepalived.stats.
 *
 * keepalived v2.2.7 vrrp/vrrp_print.c (vrrp_print_stats). The advertisement interval is never counted there either.
 */

export const STATISTICS_FILE = "/tmp/keepalived.stats";

export class Statistics {
  received = 0;
  sent = 0;
  becameMaster = 0;
  releasedMaster = 0;
  badTtl = 0;
  badAddresses = 0;
  invalidAuthType = 0;
  authTypeMismatch = 0;
  authFailure = 0;
  zeroReceived = 0;
  zeroSent = 0;

  text(name: string): string {
    return (
      `VRRP Instance: ${name}\n  Advertisements:\n    Received: ${this.received}\n    Sent: ${this.sent}\n` +
      `  Became master: ${this.becameMaster}\n  Released master: ${this.releasedMaster}\n` +
      `  Packet Errors:\n    Length: 0\n    TTL: ${this.badTtl}\n    Invalid Type: 0\n    Advertisement Interval: 0\n    Address List: ${this.badAddresses}\n` +
      `  Authentication Errors:\n    Invalid Type: ${this.invalidAuthType}\n    Type Mismatch: ${this.authTypeMismatch}\n    Failure: ${this.authFailure}\n` +
      `  Priority Zero:\n    Received: ${this.zeroReceived}\n    Sent: ${this.zeroSent}\n`
    );
  }
}

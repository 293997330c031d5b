/**
 * What conformance to the kernel leaves out, one by one, with the reason.
 */

/** Scenarios that no kernel can act out as they stand: path -> why. */
export const NOT_RECORDED: ReadonlyMap<string, string> = new Map([
  ["scenarios/documents/dr-172.16.58-reboot.yaml", "a reboot as the distributions' init does it: namespaces have no init"],
  ["scenarios/workload-dr.yaml", "its connections are drawn by the simulator's own workload generator"],
]);

/**
 * Scenarios whose recording and run still differ, and why. Each is run all the same, and its test fails once they agree, so that its line here goes.
 */
export const KNOWN_DIFFERENCES: ReadonlyMap<string, string> = new Map([
  ["test/conformance/nat-ip-forward-0.yaml", "client and server retransmit in one tick: the kernel's SYN+ACK passes the director before the SYN, ours after it; two recordings alike"],
  ["test/conformance/nat-one-arm-redirect-obeyed.yaml", "the reset arrives 20 us after the data: nc prints nothing, ours has read by then; two recordings alike"],
  ["test/conformance/net-addresses.yaml", "b probes two addresses of a in the third of a second in which the step begins that counts frames: 6, 7 or 8 of them, by recording"],
  ["test/conformance/net-bulk.yaml", "the first acknowledgment passes the router after the fifth segment of a burst, ours after the fourth: the kernel's machines take in packets in batches"],
  ["test/conformance/out-shell.yaml", "the line number in the message of an assignment to a readonly variable, after a subshell and a here-document"],
  ["scenarios/tun/t06-outer-fragments.yaml", "whether the first acknowledgment comes before or after what is sent again for a fragmentation-needed message; three recordings, two orders"],
  ["scenarios/tun/t07-icmp-filtered-at-client.yaml", "the same order of an acknowledgment and of what is sent again"],
  ["test/conformance/tun-big-upload.yaml", "what is sent again after a fragmentation-needed message: the client has let go of its socket, stamps it with the time of the first sending, and a SACK makes it lost again"],
]);

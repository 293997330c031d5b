/**
 * Sizes that several parts of TCP share.
 *
 * Linux v6.1 include/net/tcp.h, net/ipv4/tcp.c (tcp_rmem).
 */

export const TCP_MSS_DEFAULT = 536;
export const TCP_MSS_MIN = 48;
/** SO_RCVBUF as tcp_rmem's second value sets it: half of it is for data (tcp_adv_win_scale 1). */
export const RECEIVE_BUFFER_BYTES = 131072;
export const RECEIVE_BUFFER_MAX_BYTES = 6291456;

/**
 * Per-device IPv4 settings: /proc/sys/net/ipv4/conf/DEVICE/*. Field names are the kernel's.
 *
 * Linux v6.1 include/linux/inetdevice.h, net/ipv4/devinet.c (ipv4_devconf, ipv4_devconf_dflt).
 */

export class Ipv4Conf {
  forwarding = 0;
  mc_forwarding = 0;
  bc_forwarding = 0;
  accept_redirects = 1;
  secure_redirects = 1;
  shared_media = 1;
  rp_filter = 0;
  send_redirects = 1;
  accept_source_route = 0;
  src_valid_mark = 0;
  proxy_arp = 0;
  proxy_arp_pvlan = 0;
  medium_id = 0;
  bootp_relay = 0;
  log_martians = 0;
  tag = 0;
  arp_filter = 0;
  arp_announce = 0;
  arp_ignore = 0;
  arp_accept = 0;
  arp_notify = 0;
  arp_evict_nocarrier = 1;
  accept_local = 0;
  route_localnet = 0;
  disable_policy = 0;
  disable_xfrm = 0;
  force_igmp_version = 0;
  igmpv2_unsolicited_report_interval = 10000;
  igmpv3_unsolicited_report_interval = 1000;
  ignore_routes_with_linkdown = 0;
  promote_secondaries = 0;
  drop_gratuitous_arp = 0;
  drop_unicast_in_l2_multicast = 0;

  /** A copy, as a new interface gets one of conf/default. */
  copy(): Ipv4Conf {
    return Object.assign(new Ipv4Conf(), this);
  }
}

export type Ipv4ConfKey = Exclude<keyof Ipv4Conf, "copy">;

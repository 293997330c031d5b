/**
 * The keys of /proc/sys that exist whatever devices there are, with the values that a network namespace of the reference kernel starts with
 * and the bounds that it was seen to enforce.
 *
 * Linux v6.1 net/ipv4/sysctl_net_ipv4.c, net/ipv4/route.c (ipv4_route_netns_table), net/ipv4/ip_fragment.c. Keys of the initial namespace
 * alone (net.core.rmem_max, net.ipv4.tcp_mem, net.ipv4.neigh.default and others) are not there.
 */

import { INT_MAX, INT_MIN } from "./sysctl-values.ts";

/** Integers below net.ipv4 by bounds; each text lists `key=value`. */
export const IPV4_INTEGERS: readonly { readonly min: number; readonly max: number; readonly values: string }[] = [
  {
    min: INT_MIN,
    max: INT_MAX,
    values:
      "icmp_ratemask=6168 igmp_max_memberships=20 igmp_max_msf=10 route.min_adv_mss=256 tcp_base_mss=1024 " +
      "tcp_challenge_ack_limit=2147483647 tcp_fastopen=1 tcp_limit_output_bytes=1048576 tcp_max_reordering=300 tcp_max_syn_backlog=128 " +
      "tcp_max_tw_buckets=8192 tcp_probe_threshold=8 tcp_reordering=3 xfrm4_gc_thresh=32768",
  },
  {
    min: -21474836,
    max: 21474836,
    values: "ipfrag_time=30 route.mtu_expires=600 tcp_fin_timeout=60 tcp_keepalive_intvl=75 tcp_keepalive_time=7200",
  },
  {
    min: -31,
    max: 31,
    values: "tcp_adv_win_scale=1",
  },
  {
    min: 0,
    max: 1,
    values:
      "fib_multipath_use_neigh=0 icmp_echo_enable_probe=0 icmp_echo_ignore_all=0 icmp_echo_ignore_broadcasts=1 " +
      "icmp_errors_use_inbound_ifaddr=0 icmp_ignore_bogus_error_responses=1 ip_autobind_reuse=0 ip_forward_update_priority=1 " +
      "nexthop_compat_mode=1 raw_l3mdev_accept=1 tcp_autocorking=1 tcp_ecn_fallback=1 tcp_l3mdev_accept=0 tcp_migrate_req=0 " +
      "tcp_no_ssthresh_metrics_save=1 tcp_reflect_tos=0 tcp_shrink_window=0 udp_l3mdev_accept=0",
  },
  {
    min: 0,
    max: 2,
    values: "fib_notify_on_flag_change=0 tcp_ecn=2 tcp_tw_reuse=2",
  },
  {
    min: 0,
    max: 3,
    values: "fib_multipath_hash_policy=0",
  },
  {
    min: 0,
    max: 4,
    values: "tcp_early_retrans=3",
  },
  {
    min: 0,
    max: 31,
    values: "tcp_app_win=31",
  },
  {
    min: 0,
    max: 255,
    values:
      "fwmark_reflect=0 igmp_link_local_mcast_reports=1 ip_dynaddr=0 ip_early_demux=1 ip_forward_use_pmtu=0 ip_no_pmtu_disc=0 " +
      "ip_nonlocal_bind=0 tcp_abort_on_overflow=0 tcp_comp_sack_nr=44 tcp_dsack=1 tcp_early_demux=1 tcp_fack=0 tcp_frto=2 " +
      "tcp_fwmark_accept=0 tcp_keepalive_probes=9 tcp_moderate_rcvbuf=1 tcp_mtu_probing=0 tcp_no_metrics_save=0 tcp_orphan_retries=0 " +
      "tcp_recovery=1 tcp_retrans_collapse=1 tcp_retries1=3 tcp_retries2=15 tcp_rfc1337=0 tcp_sack=1 tcp_slow_start_after_idle=1 " +
      "tcp_stdurg=0 tcp_synack_retries=5 tcp_syncookies=1 tcp_thin_linear_timeouts=0 tcp_timestamps=1 tcp_tso_rtt_log=9 " +
      "tcp_tso_win_divisor=3 tcp_window_scaling=1 tcp_workaround_signed_windows=0 udp_early_demux=1",
  },
  {
    min: 0,
    max: 1000,
    values: "tcp_pacing_ca_ratio=120 tcp_pacing_ss_ratio=200",
  },
  {
    min: 0,
    max: 65535,
    values: "ip_unprivileged_port_start=1024",
  },
  {
    min: 0,
    max: 86400,
    values: "tcp_min_rtt_wlen=300",
  },
  {
    min: 0,
    max: 4194304,
    values: "ipfrag_low_thresh=3145728",
  },
  {
    min: 0,
    max: 16777216,
    values: "tcp_child_ehash_entries=0",
  },
  {
    min: 0,
    max: 42949672,
    values: "tcp_probe_interval=600",
  },
  {
    min: 0,
    max: INT_MAX,
    values:
      "icmp_msgs_burst=50 icmp_msgs_per_sec=1000 icmp_ratelimit=1000 ipfrag_max_dist=64 tcp_fastopen_blackhole_timeout_sec=0 " + "tcp_invalid_ratelimit=500",
  },
  {
    min: 0,
    max: 4294967295,
    values: "tcp_notsent_lowat=4294967295",
  },
  {
    min: 0,
    max: 9007199254740991,
    values: "tcp_comp_sack_delay_ns=1000000 tcp_comp_sack_slack_ns=100000",
  },
  {
    min: 1,
    max: 127,
    values: "tcp_syn_retries=6",
  },
  {
    min: 1,
    max: 255,
    values: "ip_default_ttl=64 tcp_min_tso_segs=2",
  },
  {
    min: 1,
    max: 4095,
    values: "fib_multipath_hash_fields=7",
  },
  {
    min: 1,
    max: INT_MAX,
    values: "igmp_qrv=2 udp_rmem_min=4096 udp_wmem_min=4096",
  },
  {
    min: 48,
    max: 65535,
    values: "tcp_min_snd_mss=48 tcp_mtu_probe_floor=48",
  },
  {
    min: 68,
    max: INT_MAX,
    values: "route.min_pmtu=552",
  },
  {
    min: 3145728,
    max: 9007199254740991,
    values: "ipfrag_high_thresh=4194304",
  },
];

/** Settings of one interface below net.ipv6.conf; IPv6 itself is switched off on every host. */
export const IPV6_CONF_VALUES =
  "accept_dad=1 accept_ra=1 accept_ra_defrtr=1 accept_ra_from_local=0 accept_ra_min_hop_limit=1 accept_ra_min_lft=0 accept_ra_mtu=1 " +
  "accept_ra_pinfo=1 accept_ra_rt_info_max_plen=0 accept_ra_rt_info_min_plen=0 accept_ra_rtr_pref=1 accept_redirects=1 " +
  "accept_source_route=0 accept_untracked_na=0 addr_gen_mode=0 autoconf=1 dad_transmits=1 disable_ipv6=1 disable_policy=0 " +
  "drop_unicast_in_l2_multicast=0 drop_unsolicited_na=0 enhanced_dad=1 force_mld_version=0 force_tllao=0 forwarding=0 hop_limit=64 " +
  "ignore_routes_with_linkdown=0 ioam6_enabled=0 ioam6_id=65535 ioam6_id_wide=4294967295 keep_addr_on_down=0 max_addresses=16 " +
  "max_desync_factor=600 mldv1_unsolicited_report_interval=10000 mldv2_unsolicited_report_interval=1000 mtu=1500 " +
  "ndisc_evict_nocarrier=1 ndisc_notify=0 ndisc_tclass=0 proxy_ndp=0 ra_defrtr_metric=1024 regen_max_retry=3 router_probe_interval=60 " +
  "router_solicitation_delay=1 router_solicitation_interval=4 router_solicitation_max_interval=3600 router_solicitations=-1 " +
  "rpl_seg_enabled=0 seg6_enabled=0 suppress_frag_ndisc=1 temp_prefered_lft=86400 temp_valid_lft=604800 use_oif_addrs_only=0 " +
  "use_tempaddr=0";

/** Integers outside net.ipv4, below a common prefix. They can be written and read back; nothing in the simulation depends on most of them. */
export const OTHER_INTEGERS: readonly { readonly prefix: string; readonly values: string }[] = [
  {
    prefix: "net.netfilter.nf_conntrack_",
    values:
      "acct=0 buckets=8192 checksum=1 count=0 dccp_loose=1 dccp_timeout_closereq=64 dccp_timeout_closing=64 dccp_timeout_open=43200 " +
      "dccp_timeout_partopen=480 dccp_timeout_request=240 dccp_timeout_respond=480 dccp_timeout_timewait=240 events=2 expect_max=128 " +
      "frag6_high_thresh=4194304 frag6_low_thresh=3145728 frag6_timeout=60 generic_timeout=600 gre_timeout=30 gre_timeout_stream=180 " +
      "icmp_timeout=30 icmpv6_timeout=30 log_invalid=0 max=8192 sctp_timeout_closed=10 sctp_timeout_cookie_echoed=3 " +
      "sctp_timeout_cookie_wait=3 sctp_timeout_established=210 sctp_timeout_heartbeat_sent=30 sctp_timeout_shutdown_ack_sent=3 " +
      "sctp_timeout_shutdown_recd=3 sctp_timeout_shutdown_sent=3 tcp_be_liberal=0 tcp_ignore_invalid_rst=0 tcp_loose=1 tcp_max_retrans=3 " +
      "tcp_timeout_close=10 tcp_timeout_close_wait=60 tcp_timeout_established=432000 tcp_timeout_fin_wait=120 tcp_timeout_last_ack=30 " +
      "tcp_timeout_max_retrans=300 tcp_timeout_syn_recv=60 tcp_timeout_syn_sent=120 tcp_timeout_time_wait=120 " +
      "tcp_timeout_unacknowledged=300 udp_timeout=30 udp_timeout_stream=120",
  },
  {
    prefix: "net.netfilter.",
    values: "nf_flowtable_tcp_timeout=30 nf_flowtable_udp_timeout=30 nf_hooks_lwtunnel=0",
  },
  {
    prefix: "net.ipv6.",
    values:
      "anycast_src_echo_reply=0 auto_flowlabels=1 bindv6only=0 fib_multipath_hash_fields=7 fib_multipath_hash_policy=0 " +
      "fib_notify_on_flag_change=0 flowlabel_consistency=1 flowlabel_reflect=0 flowlabel_state_ranges=0 fwmark_reflect=0 " +
      "icmp.echo_ignore_all=0 icmp.echo_ignore_anycast=0 icmp.echo_ignore_multicast=0 icmp.ratelimit=1000 idgen_delay=1 idgen_retries=3 " +
      "ioam6_id=16777215 ip6frag_high_thresh=4194304 ip6frag_low_thresh=3145728 ip6frag_time=60 ip_nonlocal_bind=0 " +
      "max_dst_opts_length=2147483647 max_dst_opts_number=8 max_hbh_length=2147483647 max_hbh_opts_number=8 route.gc_elasticity=9 " +
      "route.gc_interval=30 route.gc_min_interval=0 route.gc_min_interval_ms=500 route.gc_thresh=1024 route.gc_timeout=60 " +
      "route.max_size=2147483647 route.min_adv_mss=1220 route.mtu_expires=600 route.skip_notify_on_dev_down=0 seg6_flowlabel=0 " +
      "xfrm6_gc_thresh=32768",
  },
  {
    prefix: "net.core.",
    values: "somaxconn=4096 txrehash=1 xfrm_acq_expires=30 xfrm_aevent_etime=10 xfrm_aevent_rseqth=2 xfrm_larval_drop=1",
  },
  {
    prefix: "net.unix.",
    values: "max_dgram_qlen=10",
  },
  {
    prefix: "kernel.",
    values:
      "auto_msgmni=0 bpf_stats_enabled=0 cad_pid=0 cap_last_cap=40 core_pipe_limit=0 core_uses_pid=0 ctrl-alt-del=1 dmesg_restrict=0 " +
      "keys.gc_delay=300 keys.maxbytes=20000 keys.maxkeys=200 keys.root_maxbytes=25000000 keys.root_maxkeys=1000000 kptr_restrict=0 " +
      "max_lock_depth=1024 modules_disabled=0 msgmax=8192 msgmnb=16384 msgmni=32000 ngroups_max=65536 oops_limit=10000 overflowgid=65534 " +
      "overflowuid=65534 panic=0 panic_on_oops=0 panic_on_warn=0 panic_print=0 pid_max=32768 print-fatal-signals=0 printk_delay=0 " +
      "printk_ratelimit=5 printk_ratelimit_burst=10 pty.max=4096 pty.nr=0 pty.reserve=1024 real-root-dev=0 " +
      "sched_cfs_bandwidth_slice_us=5000 sched_child_runs_first=0 sched_deadline_period_max_us=4194304 sched_deadline_period_min_us=100 " +
      "sched_rr_timeslice_ms=100 sched_rt_period_us=1000000 sched_rt_runtime_us=950000 shm_rmid_forced=0 shmmni=4096 " +
      "sysctl_writes_strict=1 sysrq=1 tainted=0 task_delayacct=0 threads-max=7858 unprivileged_bpf_disabled=0 unprivileged_userns_clone=1 " +
      "warn_limit=0 yama.ptrace_scope=0",
  },
  {
    prefix: "vm.",
    values:
      "admin_reserve_kbytes=8192 compact_unevictable_allowed=1 compaction_proactiveness=20 dirty_background_bytes=0 " +
      "dirty_background_ratio=10 dirty_bytes=0 dirty_expire_centisecs=3000 dirty_ratio=20 dirty_writeback_centisecs=500 " +
      "dirtytime_expire_seconds=43200 extfrag_threshold=500 laptop_mode=0 max_map_count=65530 min_free_kbytes=4011 mmap_min_addr=4096 " +
      "oom_dump_tasks=1 oom_kill_allocating_task=0 overcommit_kbytes=0 overcommit_memory=0 overcommit_ratio=50 page-cluster=3 " +
      "page_lock_unfairness=5 panic_on_oom=0 percpu_pagelist_high_fraction=0 swappiness=60 unprivileged_userfaultfd=0 " +
      "user_reserve_kbytes=31364 vfs_cache_pressure=100 watermark_boost_factor=15000 watermark_scale_factor=10",
  },
  {
    prefix: "fs.",
    values:
      "aio-max-nr=65536 aio-nr=0 dir-notify-enable=1 epoll.max_user_watches=223899 fanotify.max_queued_events=16384 " +
      "fanotify.max_user_groups=128 fanotify.max_user_marks=8697 file-max=100508 inotify.max_queued_events=16384 " +
      "inotify.max_user_instances=128 inotify.max_user_watches=8198 lease-break-time=45 leases-enable=1 mount-max=100000 " +
      "mqueue.msg_default=10 mqueue.msg_max=10 mqueue.msgsize_default=8192 mqueue.msgsize_max=8192 mqueue.queues_max=256 nr_open=1048576 " +
      "overflowgid=65534 overflowuid=65534 pipe-max-size=1048576 pipe-user-pages-hard=0 pipe-user-pages-soft=16384 protected_fifos=0 " +
      "protected_hardlinks=1 protected_regular=0 protected_symlinks=1 suid_dumpable=0",
  },
  {
    prefix: "dev.",
    values: "tty.ldisc_autoload=1",
  },
];

/** Other texts, as they read. */
export const OTHER_TEXTS: Readonly<Record<string, string>> = {
  "fs.dentry-state": "1287\t378\t45\t0\t58\t0",
  "fs.file-nr": "173\t0\t100508",
  "fs.inode-nr": "1306\t0",
  "fs.inode-state": "1306\t0\t0\t0\t0\t0\t0",
  "kernel.acct": "4\t2\t30",
  "kernel.arch": "x86_64",
  "kernel.core_pattern": "core",
  "kernel.domainname": "(none)",
  "kernel.hotplug": "/sbin/hotplug",
  "kernel.modprobe": "/sbin/modprobe",
  "kernel.ostype": "Linux",
  "kernel.poweroff_cmd": "/sbin/poweroff",
  "kernel.printk": "4\t4\t1\t7",
  "kernel.printk_devkmsg": "ratelimit",
  "kernel.seccomp.actions_avail": "kill_process kill_thread trap errno user_notif trace log allow",
  "kernel.seccomp.actions_logged": "kill_process kill_thread trap errno user_notif trace log",
  "kernel.sem": "32000\t1024000000\t500\t32000",
  "kernel.shmall": "18446744073692774399",
  "kernel.shmmax": "18446744073692774399",
  "kernel.usermodehelper.bset": "4294967295\t511",
  "kernel.usermodehelper.inheritable": "4294967295\t511",
  "net.ipv6.icmp.ratemask": "0-1,3-127",
  "net.ipv6.ioam6_id_wide": "72057594037927935",
  "net.netfilter.nf_log.0": "NONE",
  "net.netfilter.nf_log.1": "NONE",
  "net.netfilter.nf_log.10": "NONE",
  "net.netfilter.nf_log.2": "NONE",
  "net.netfilter.nf_log.3": "NONE",
  "net.netfilter.nf_log.4": "NONE",
  "net.netfilter.nf_log.5": "NONE",
  "net.netfilter.nf_log.6": "NONE",
  "net.netfilter.nf_log.7": "NONE",
  "net.netfilter.nf_log.8": "NONE",
  "net.netfilter.nf_log.9": "NONE",
  "vm.lowmem_reserve_ratio": "32\t0",
};

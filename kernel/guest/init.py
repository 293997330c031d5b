#!/usr/bin/python3
"""Process 1 of a User-Mode Linux: takes jobs from a folder of the machine outside and acts them out, several at a time.

LVSIM_DIR (outside) is mounted at /mnt:
  jobs/NAME.json    what to do, put there by renaming; "kind" is "scenario" or "sched"
  out/NAME/         result.json (renamed into place when all is over) or error.txt; for a scenario one HOST.INTERFACE.pcap an interface
  stop              power off
"""
import ctypes, json, os, socket, subprocess, sys, threading, time, traceback

import agent, offload

DIR = "/mnt"
GUEST = DIR + "/guest"
ENV = {"PATH": GUEST + "/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C", "TERM": "dumb"}
MODULES = """overlay bridge veth ipip ip_gre fou tun dummy ifb nf_conntrack nf_conntrack_netlink iptable_nat iptable_filter iptable_mangle
  nf_tables nft_compat nft_chain_nat xt_nat xt_mark xt_conntrack xt_state xt_tcpudp xt_MASQUERADE xt_REDIRECT xt_REJECT ipt_REJECT xt_ipvs
  ip_vs ip_vs_rr ip_vs_wrr ip_vs_lc ip_vs_wlc ip_vs_lblc ip_vs_lblcr ip_vs_dh ip_vs_sh ip_vs_sed ip_vs_nq ip_vs_fo ip_vs_ovf ip_vs_mh
  sch_netem sch_ingress cls_matchall cls_flower act_mirred act_gact""".split()
# A port that comes up forwards only when the kernel has looked at its carrier, which it does once a second.
SETTLE_SECONDS = 1.3
libc = ctypes.CDLL(None, use_errno=True)


def mount(source, target, kind, flags=0, options=None):
    if libc.mount(source.encode(), target.encode(), kind.encode(), flags, options and options.encode()):
        raise OSError(ctypes.get_errno(), f"mount {target}")


def sh(words, text=None):
    p = subprocess.run(words, env=ENV, input=text, stdin=None if text is not None else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return p.returncode, p.stdout


def must(words, text=None):
    status, said = sh(words, text)
    if status:
        raise RuntimeError(f"{' '.join(words)}: {said.strip()}" + (f"\n{text}" if text else ""))


class Nursery:
    """A process without threads that makes the agents: they start as copies of it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.socket, theirs = socket.socketpair()
        if os.fork() == 0:
            self.socket.close()
            agent.nursery(theirs)
            os._exit(0)
        theirs.close()

    def bear(self, theirs, name, out):
        """Makes an agent that speaks over `theirs`; returns its process id."""
        with self.lock:
            socket.send_fds(self.socket, [json.dumps([name, out]).encode()], [theirs.fileno()])
            theirs.close()
            return int(self.socket.recv(64))


NURSERY = None


class Host:
    """One machine: an agent (agent.py) in namespaces of its own, spoken to in lines of JSON."""

    def __init__(self, spec, out):
        self.spec, self.answers, self.lock, self.count = spec, {}, threading.Condition(), 0
        ours, theirs = socket.socketpair()
        self.pid = NURSERY.bear(theirs, spec["name"], out)
        self.input, self.output = ours.makefile("r"), ours.makefile("w")
        self.socket = ours
        self.is_alive = True
        threading.Thread(target=self.listen, daemon=True).start()
        self.hello = self.send({"do": "hello"})

    def listen(self):
        for line in self.input:
            answer = json.loads(line)
            with self.lock:
                self.answers[answer["id"]] = answer
                self.lock.notify_all()
        with self.lock:
            self.is_alive = False
            self.lock.notify_all()

    def send(self, request):
        with self.lock:
            self.count += 1
            request["id"] = self.count
            if self.is_alive:
                self.output.write(json.dumps(request) + "\n")
                self.output.flush()
        return request["id"]

    def wait(self, id):
        with self.lock:
            self.lock.wait_for(lambda: id in self.answers or not self.is_alive)
            answer = self.answers.pop(id, None)
        if answer is None:
            return {"exit": 255, "stdout": "", "stderr": f"{self.spec['name']} is off\n", "seconds": 0}
        if "error" in answer:
            raise RuntimeError(f"{self.spec['name']}: {answer['error']}")
        del answer["id"]
        return answer

    def ask(self, request):
        return self.wait(self.send(request))

    def end(self):
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        with self.lock:
            self.lock.wait_for(lambda: not self.is_alive, 10)


class Network:
    """The switches of one scenario: bridges in a namespace of their own, a port for each interface."""

    def __init__(self, name, links):
        self.ns, self.ports, self.links = name, {}, links
        self.off, self.cut, self.dark = set(), set(), set()  # ports that are down, cables that are cut, links without power
        must(["ip", "netns", "add", name])
        self.ip(["link set lo up"] + [f"link add b{i} type bridge stp_state 0 forward_delay 0 mcast_snooping 0" for i in range(len(links))] + [f"link set b{i} up" for i in range(len(links))])
        sh(["ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"])

    def ip(self, lines):
        must(["ip", "-n", self.ns, "-batch", "-"], "\n".join(lines) + "\n")

    def attach(self, key, link, ifname, mac, mtu, pid):
        n = len(self.ports)
        port = f"p{n}"
        self.ports[key] = (port, self.links.index(link), mac)
        return [f"link add {port} mtu {mtu} type veth peer name {ifname} address {mac} mtu {mtu} netns {pid}",
                f"link set {port} master b{self.links.index(link)}"], port

    def update(self, key):
        port, link, _ = self.ports[key]
        is_up = key not in self.off and key not in self.cut and link not in self.dark
        sh(["ip", "-n", self.ns, "link", "set", port, "up" if is_up else "down"])

    def set_ports(self, keys, up):
        for key in keys:
            (self.off.discard if up else self.off.add)(key)
            self.update(key)

    def set_cables(self, keys, whole):
        for key in keys:
            (self.cut.discard if whole else self.cut.add)(key)
            self.update(key)

    def set_power(self, link, on):
        i = self.links.index(link)
        (self.dark.discard if on else self.dark.add)(i)
        for key, (_, on_link, _) in self.ports.items():
            if on_link == i:
                self.update(key)

    def impair(self, keys, directions, words):
        """in: what leaves the switch for the interface, a qdisc of the port; out: what the interface sent, a detour through an ifb."""
        for key in keys:
            port, _, _ = self.ports[key]
            ifb = "i" + port
            tc = lambda line: sh(["tc", "-n", self.ns] + line.split())
            if "in" in directions:
                tc(f"qdisc del dev {port} root")
                if words:
                    must(["tc", "-n", self.ns, "qdisc", "add", "dev", port, "root", "netem"] + words.split())
            if "out" in directions:
                tc(f"qdisc del dev {port} ingress")
                sh(["ip", "-n", self.ns, "link", "del", ifb])
                if words:
                    self.ip([f"link add {ifb} type ifb", f"link set {ifb} up"])
                    must(["tc", "-n", self.ns, "qdisc", "add", "dev", ifb, "root", "netem"] + words.split())
                    tc(f"qdisc add dev {port} ingress")
                    must(["tc", "-n", self.ns] + f"filter add dev {port} parent ffff: matchall action mirred egress redirect dev {ifb}".split())

    def partition(self, link, groups):
        """Each port of the link refuses to send what came from interfaces of other groups."""
        i = self.links.index(link)
        members = [key for key, (_, on_link, _) in self.ports.items() if on_link == i]
        group = {key: n for n, keys in enumerate(groups) for key in keys}
        for key in members:
            port = self.ports[key][0]
            sh(["tc", "-n", self.ns, "qdisc", "del", "dev", port, "clsact"])
            if not groups:
                continue
            must(["tc", "-n", self.ns, "qdisc", "add", "dev", port, "clsact"])
            for other in members:
                if group.get(other, -1) != group.get(key, -1):
                    must(["tc", "-n", self.ns] + f"filter add dev {port} egress protocol all flower src_mac {self.ports[other][2]} action drop".split())

    def end(self):
        sh(["ip", "netns", "del", self.ns])


class Acting:
    """Acts one scenario out."""

    def __init__(self, name, job, out):
        self.job, self.out = job, out
        self.network = Network("sw-" + name, job["links"])
        self.hosts = {}

    def build(self):
        for spec in self.job["hosts"]:
            self.hosts[spec["name"]] = Host(spec, self.out)
        for host in self.hosts.values():
            host.wait(host.hello)
        ports = []
        for name, host in self.hosts.items():
            lines = []
            for it in host.spec["interfaces"]:
                more, port = self.network.attach(f"{name}.{it['name']}", it["link"], it["name"], it["mac"], it["mtu"], host.pid)
                lines += more
                ports.append(port)
            self.network.ip(lines)
        self.quiet(ports)
        for host in self.hosts.values():
            host.hello = host.send({"do": "configure", **host.spec})
        for host in self.hosts.values():
            host.wait(host.hello)

    def quiet(self, ports):
        """No offloads at the switch's side; then the ports go up."""
        def enter():
            with open(f"/run/netns/{self.network.ns}") as namespace:
                libc.setns(namespace.fileno(), 0)
            offload.switch_off(ports)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        self.network.ip([f"link set {port} up" for port in ports])

    def run(self):
        result = {"kernel": os.uname().release, "setup": {}, "timeline": [], "state": {}}
        self.build()
        time.sleep(SETTLE_SECONDS)
        for name, host in self.hosts.items():
            if host.spec.get("run") is not None:
                result["setup"][name] = host.ask({"do": "run", "script": host.spec["run"], "timeout": 60})
        t0 = time.time()
        start = time.monotonic()
        result["t0"] = t0
        steps = self.job["timeline"]
        outs, threads, late = [None] * len(steps), [], [0.0]

        def act(i, step):
            try:
                outs[i] = self.act(step)
            except Exception as error:
                outs[i] = {"error": repr(error)}

        began = [0.0] * len(steps)
        for i, step in sorted(enumerate(steps), key=lambda pair: pair[1]["at"]):
            if self.job.get("pauseSeconds") and threads:
                # Paced: a step waits for the one before, and says when it began.
                threads[-1].join()
                time.sleep(self.job["pauseSeconds"])
            time.sleep(max(0, start + step["at"] - time.monotonic()))
            began[i] = round(time.monotonic() - start, 3)
            late.append(time.monotonic() - start - step["at"])
            threads.append(threading.Thread(target=act, args=(i, step)))
            threads[-1].start()
        for thread in threads:
            thread.join()
        time.sleep(max(0.5, start + self.job["duration"] - time.monotonic()))
        result["timeline"] = outs
        result["late"] = round(max(late), 3)
        result["began"] = began
        result["tablesAt"] = {}
        for name, host in self.hosts.items():
            if host.is_alive:
                result["tablesAt"][name] = round(time.monotonic() - start, 2)
                result["state"][name] = host.ask({"do": "tables", "commands": self.job["tables"]})
        for host in self.hosts.values():
            host.ask({"do": "write"})
        return result

    def act(self, step):
        op, network = step["op"], self.network
        if op == "run":
            return self.hosts[step["host"]].ask({"do": "run", "script": step["script"], "timeout": step["timeout"]})
        if op == "ports":
            network.set_ports(step["ports"], step["up"])
        elif op == "cables":
            network.set_cables(step["ports"], step["whole"])
        elif op == "power":
            network.set_power(step["link"], step["on"])
        elif op == "impair":
            network.impair(step["ports"], step["directions"], step["words"])
        elif op == "partition":
            network.partition(step["link"], step["groups"])
        elif op == "kill":
            self.hosts[step["host"]].ask({"do": "kill", "process": step["process"], "signal": step["signal"]})
        elif op == "poweroff":
            network.set_ports(step["ports"], False)
            host = self.hosts[step["host"]]
            host.ask({"do": "write"})
            host.end()
        else:
            raise RuntimeError(f"unknown operation {op}")
        return {}

    def end(self):
        for host in self.hosts.values():
            host.end()
        self.network.end()


def work(name):
    out = f"{DIR}/out/{name}"
    os.makedirs(out, exist_ok=True)
    try:
        job = json.load(open(f"{DIR}/jobs/{name}.json"))
        if job["kind"] == "sched":
            p = subprocess.run(["/usr/bin/python3", "-S", "-E", GUEST + "/picks.py", f"{DIR}/jobs/{name}.json"], env=ENV, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            if p.returncode:
                raise RuntimeError(p.stderr)
            result = json.loads(p.stdout)
        else:
            acting = Acting(name, job, out)
            try:
                result = acting.run()
            finally:
                acting.end()
        with open(out + "/result.tmp", "w") as f:
            json.dump(result, f)
        os.rename(out + "/result.tmp", out + "/result.json")
    except Exception:
        with open(out + "/error.tmp", "w") as f:
            f.write(traceback.format_exc())
        os.rename(out + "/error.tmp", out + "/error.txt")


def boot():
    os.environ.update(ENV)
    mount("proc", "/proc", "proc")
    mount("sys", "/sys", "sysfs")
    mount("run", "/run", "tmpfs")
    mount("none", "/mnt", "hostfs", 0, os.environ["LVSIM_DIR"])
    mount("tmp", "/tmp", "tmpfs")
    for target, kind in (("/dev/shm", "tmpfs"), ("/dev/pts", "devpts")):
        try:
            mount(kind, target, kind)
        except OSError:
            pass  # not every machine has these folders
    status, said = sh(["modprobe", "-a"] + MODULES)
    if status:
        print("modprobe:", said, flush=True)
    # Many machines share one neighbour table: nothing may be thrown out for lack of room.
    for i, limit in enumerate((16384, 32768, 65536)):
        open(f"/proc/sys/net/ipv4/neigh/default/gc_thresh{i + 1}", "w").write(str(limit))


def main():
    global NURSERY
    boot()
    NURSERY = Nursery()
    open(DIR + "/ready", "w").close()
    seen = set()
    while not os.path.exists(DIR + "/stop"):
        for entry in sorted(os.listdir(DIR + "/jobs")):
            if entry.endswith(".json") and entry not in seen:
                seen.add(entry)
                threading.Thread(target=work, args=(entry[:-5],), daemon=True).start()
        time.sleep(0.1)


try:
    main()
except Exception:
    traceback.print_exc()
finally:
    sys.stdout.flush()
    os.sync()
    open("/proc/sysrq-trigger", "w").write("o")
    time.sleep(10)

"""Plays scheduler scripts against the kernel's IPVS: picks.py JOB.json, whose "scripts" are lists of operations as texts.

Clients (10.1.0.0/16), director (10.9.0.0/16) and servers (10.2.0.0/16) are three network namespaces, and this process has sockets in all of
them; nothing but the kernel is between a connect() and its accept(). Forwarding is NAT. Prints {"picks": [[LINE...]...], "kernel": ...}.
"""
import ctypes, json, os, resource, select, socket, struct, subprocess, sys, time

CLONE_NEWNET = 0x40000000
IP_VS_SO_SET = {"service": 1154, "add": 1159, "delete": 1160, "edit": 1161}
FLAGS = {"sh-fallback": 8, "mh-fallback": 8, "flag-1": 8, "sh-port": 16, "mh-port": 16, "flag-2": 16, "flag-3": 32}
CONNECT_SECONDS = 0.7
libc = ctypes.CDLL(None, use_errno=True)


def call(number, what):
    if number:
        raise OSError(ctypes.get_errno(), what)


def run(words, text=None):
    return subprocess.run(words, input=text, stdin=None if text else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def must(words, text=None):
    p = run(words, text)
    if p.returncode:
        raise RuntimeError(f"{' '.join(words)}: {p.stdout}\n{text or ''}")


def set_sysctl(name, value):
    with open("/proc/sys/" + name.replace(".", "/"), "w") as f:
        f.write(str(value))


class Namespace:
    def __init__(self):
        call(libc.unshare(CLONE_NEWNET), "unshare")
        self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self.path = f"/proc/{os.getpid()}/fd/{self.fd}"

    def enter(self):
        call(libc.setns(self.fd, CLONE_NEWNET), "setns")


class Play:
    def __init__(self, text):
        self.lines = [line.split("#")[0].split() for line in text.split("\n")]
        self.lines = [words for words in self.lines if words]
        self.picks, self.connections, self.listeners = [], {}, []
        self.service, self.service_words, self.vip = None, None, None
        self.clients, self.director, self.servers = Namespace(), Namespace(), Namespace()
        self.wire()

    def wire(self):
        self.servers.enter()
        must(["ip", "-batch", "-"], "link set lo up\nlink add e0 type veth peer name e1 netns " + self.director.path + "\naddr add 10.2.255.253/30 dev e0\nlink set e0 up\n"
             "route add local 10.2.0.0/16 dev lo\n")
        for port in sorted({int(words[1].split(":")[1]) for words in self.lines if words[0] in ("add", "edit", "delete")}):
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("0.0.0.0", port))
            listener.listen(64)
            self.listeners.append(listener)
        self.director.enter()
        must(["ip", "-batch", "-"], "link set lo up\nlink add e0 type veth peer name e0 netns " + self.clients.path + "\naddr add 10.1.255.254/30 dev e0\naddr add 10.2.255.254/30 dev e1\n"
             "link set e0 up\nlink set e1 up\nroute add 10.1.0.0/16 via 10.1.255.253\nroute add 10.2.0.0/16 via 10.2.255.253\nroute add local 10.9.0.0/16 dev lo\n")
        # A refused connection is told so at once, however many there are.
        for name, value in (("net.ipv4.ip_forward", 1), ("net.ipv4.vs.conn_reuse_mode", 0), ("net.ipv4.icmp_ratelimit", 0)):
            set_sysctl(name, value)
        must("iptables-legacy -t mangle -A PREROUTING -d 10.9.0.0/16 -p tcp -j MARK --set-mark 1".split())
        self.ipvs = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.clients.enter()
        must(["ip", "-batch", "-"], "link set lo up\naddr add 10.1.255.253/30 dev e0\nlink set e0 up\nroute add local 10.1.0.0/16 dev lo\nroute add default via 10.1.255.254\n")
        self.servers.enter()
        must(["ip", "route", "add", "default", "via", "10.2.255.254"])
        self.clients.enter()

    def run(self):
        for words in self.lines:
            getattr(self, "do_" + words[0])(words)
        for client, server in self.connections.values():
            client.close()
            server.close()
        for one in self.listeners + [self.ipvs]:
            one.close()
        for one in (self.clients, self.director, self.servers):
            os.close(one.fd)
        return self.picks

    def ask(self, operation, value, words, command):
        """By setsockopt; what is refused is asked again with ipvsadm, for its words."""
        try:
            self.ipvs.setsockopt(socket.SOL_IP, IP_VS_SO_SET[operation], value)
        except OSError:
            self.director.enter()
            p = run(["ipvsadm"] + command)
            self.clients.enter()
            if p.returncode == 0:
                raise RuntimeError(f"{words}: refused by the kernel, accepted from ipvsadm")
            self.picks.append(f"! {' '.join(words)}: {p.stdout.strip()}")

    def do_service(self, words):
        flags = [word for word in words[4:] if not word.startswith("persist=")]
        persist = next((int(word[8:]) for word in words[4:] if word.startswith("persist=")), 0)
        if words[1] == "fwmark":
            self.vip, protocol, address, port, mark = None, 6, b"\0" * 4, 0, int(words[2])
            self.service_words = ["-f", words[2]]
        else:
            self.vip, protocol, mark = words[2], 6, 0
            host, number = words[2].split(":")
            address, port = socket.inet_aton(host), int(number)
            self.service_words = ["-t", words[2]]
        bits = (1 if persist else 0) | sum(FLAGS[flag] for flag in flags)
        self.service = struct.pack("@H2x4sH2xI16sIII", protocol, address, socket.htons(port), mark, words[3].encode(), bits, persist, 0xFFFFFFFF)
        self.ask("service", self.service, words,
                 ["-A"] + self.service_words + ["-s", words[3]] + (["-b", ",".join(flags)] if flags else []) + (["-p", str(persist)] if persist else []))

    def change(self, words):
        host, port = words[1].split(":")
        option = dict(zip(words[2::2], words[3::2]))
        value = struct.pack("@4sH2xIiII", socket.inet_aton(host), socket.htons(int(port)), 0, int(option.get("weight", 1)), int(option.get("upper", 0)), int(option.get("lower", 0)))
        more = [] if words[0] == "delete" else ["-m", "-w", option.get("weight", "1")]
        for name, letter in (("upper", "-x"), ("lower", "-y")):
            more += [letter, option[name]] if name in option else []
        self.ask(words[0], self.service + value, words, ["-" + words[0][0]] + self.service_words + ["-r", words[1]] + more)

    do_add = do_edit = do_delete = change

    def do_open(self, words):
        host, port = words[3].split(":")
        to_host, to_port = (words[5] if len(words) > 5 else self.vip).split(":")
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind((host, int(port)))
        client.settimeout(CONNECT_SECONDS)
        try:
            client.connect((to_host, int(to_port)))
        except OSError:
            client.close()
            self.picks.append(f"{words[1]} -")
            return
        ready, _, _ = select.select(self.listeners, [], [], 3)
        server, _ = ready[0].accept()
        self.connections[words[1]] = (client, server)
        self.picks.append("%s %s:%d" % ((words[1],) + server.getsockname()))

    def do_close(self, words):
        if words[1] not in self.connections:
            return
        client, server = self.connections.pop(words[1])
        client.close()
        select.select([server], [], [], 3)
        server.close()

    def do_sleep(self, words):
        time.sleep(float(words[1]))


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (65536, 65536))
    with open(sys.argv[1]) as f:
        job = json.load(f)
    with open("/proc/sys/net/ipv4/icmp_msgs_per_sec", "w") as f:
        f.write("1000000")
    print(json.dumps({"kernel": os.uname().release, "picks": [Play(text).run() for text in job["scripts"]]}))


main()

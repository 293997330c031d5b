"""One machine of a scenario: makes namespaces for itself, becomes their process 1, captures, and runs what it is told in lines of JSON."""
import ctypes, gc, json, mmap, os, signal, socket, struct, subprocess, sys, threading, time

import offload

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x4000000, 0x8000000, 0x20000000, 0x40000000
MS_PRIVATE_REC = (1 << 18) | (1 << 14)
SYS_CLONE = {"x86_64": 56, "aarch64": 220}.get(os.uname().machine, 56)
ETH_P_ALL = 3
SO_RCVBUFFORCE = 33
SOL_PACKET, PACKET_RX_RING, PACKET_COPY_THRESH, PACKET_VERSION, TPACKET_V2 = 263, 5, 7, 10, 1
TP_STATUS_USER, TP_STATUS_COPY, TP_STATUS_LOSING = 1, 2, 4
SLOT_BYTES, SLOT_COUNT, BLOCK_BYTES = 2048, 4096, 1 << 16
DRAIN_SECONDS = 0.5
libc = ctypes.CDLL(None, use_errno=True)


def mount(source, target, kind, flags=0, options=None):
    if libc.mount(source.encode(), target.encode(), kind.encode(), flags, options and options.encode()):
        raise OSError(ctypes.get_errno(), f"mount {target}")


class Capture:
    """
    What an interface sends and receives, with the kernel's times.

    Through a ring: there the kernel copies a frame while it passes. A frame that waits in a socket shares its bytes with those on their way, and
    shows what a tunnel's end later writes into them.
    """

    def __init__(self, ifname):
        self.frames, self.position, self.has_lost = [], 0, False
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        self.socket.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V2)
        self.socket.setsockopt(SOL_PACKET, PACKET_COPY_THRESH, 1)
        self.socket.setsockopt(SOL_PACKET, PACKET_RX_RING, struct.pack("IIII", BLOCK_BYTES, SLOT_COUNT * SLOT_BYTES // BLOCK_BYTES, SLOT_BYTES, SLOT_COUNT))
        self.ring = mmap.mmap(self.socket.fileno(), SLOT_COUNT * SLOT_BYTES)
        self.socket.setblocking(False)
        self.socket.bind((ifname, ETH_P_ALL))

    def drain(self):
        while True:
            start = self.position * SLOT_BYTES
            status, _, length, link, _, seconds, nanoseconds = struct.unpack_from("IIIHHII", self.ring, start)
            if not status & TP_STATUS_USER:
                return
            self.has_lost |= bool(status & TP_STATUS_LOSING)
            # What is larger than a slot waits, whole, in the socket.
            frame = self.receive() if status & TP_STATUS_COPY else self.ring[start + link : start + link + length]
            self.frames.append((seconds, nanoseconds, frame))
            struct.pack_into("I", self.ring, start, 0)
            self.position = (self.position + 1) % SLOT_COUNT

    def receive(self):
        try:
            return self.socket.recv(70000)
        except OSError:
            return self.socket.recv(70000)  # the interface went down; said once

    def write(self, path):
        if self.has_lost:
            raise RuntimeError(f"{path}: frames came faster than they were read")
        with open(path, "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))
            for seconds, nanoseconds, frame in self.frames:
                f.write(struct.pack("<IIII", seconds, nanoseconds, len(frame), len(frame)) + frame)


class Agent:
    def __init__(self, name, out):
        self.name, self.out, self.captures, self.children, self.lock = name, out, {}, set(), threading.Lock()
        mount("none", "/", "none", MS_PRIVATE_REC)
        mount("proc", "/proc", "proc")
        mount("sys", "/sys", "sysfs")
        for folder in ("/var", "/tmp", "/run", "/root"):
            mount("tmpfs", folder, "tmpfs")
        for folder in ("/var/www/html", "/var/log", "/var/run", "/var/lib", "/run/lock", "/run/.etc/upper", "/run/.etc/work"):
            os.makedirs(folder)
        try:
            mount("overlay", "/etc", "overlay", 0, "lowerdir=/etc,upperdir=/run/.etc/upper,workdir=/run/.etc/work")
        except OSError:
            pass  # then only /etc/keepalived can be written
        if os.path.isdir("/etc/keepalived"):
            mount("tmpfs", "/etc/keepalived", "tmpfs")
        socket.sethostname(name)

    def configure(self, spec):
        for scope in ("all", "default"):
            with open(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6", "w") as f:
                f.write("1")
        offload.switch_off([it["name"] for it in spec["interfaces"]])
        lines = ["link set lo up"]
        for it in spec["interfaces"]:
            self.captures[it["name"]] = Capture(it["name"])
            lines += [f"addr add {address} brd + dev {it['name']}" for address in it["addresses"]] + [f"link set {it['name']} up"]
        if spec.get("gateway"):
            lines.append(f"route add default via {spec['gateway']}")
        p = subprocess.run(["ip", "-batch", "-"], input="\n".join(lines) + "\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if p.returncode:
            raise RuntimeError(p.stdout)
        if spec.get("forward"):
            with open("/proc/sys/net/ipv4/ip_forward", "w") as f:
                f.write("1")
        for path, text in spec.get("files", {}).items():
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as f:
                f.write(text)
        threading.Thread(target=self.keep, daemon=True).start()

    def keep(self):
        """Empties the captures and buries orphans."""
        while True:
            time.sleep(DRAIN_SECONDS)
            with self.lock:
                for capture in self.captures.values():
                    capture.drain()
            try:
                dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if dead is not None and dead.si_pid not in self.children:
                    os.waitpid(dead.si_pid, os.WNOHANG)
            except ChildProcessError:
                pass

    def run(self, script, timeout):
        start = time.monotonic()
        with subprocess.Popen(["/bin/bash", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace") as p:
            self.children.add(p.pid)
            try:
                stdout, stderr = p.communicate(timeout=timeout)
                result = {"exit": p.returncode, "stdout": stdout, "stderr": stderr}
            except subprocess.TimeoutExpired as late:
                p.kill()
                p.wait()
                # Whoever still holds the outputs may go on; nobody listens any more.
                p.stdout.close()
                p.stderr.close()
                result = {"exit": 124, "stdout": (late.stdout or b"").decode(errors="replace"), "stderr": "timed out"}
            self.children.discard(p.pid)
        return {**result, "seconds": round(time.monotonic() - start, 3)}

    def kill(self, process, sig):
        names = ("apache2",) if process in ("httpd", "nginx") else (process,)
        for name in names:
            subprocess.run(["pkill", f"-{sig}", "-x", name])
        return {}

    def write(self):
        with self.lock:
            for name, capture in self.captures.items():
                capture.drain()
                capture.write(f"{self.out}/{self.name}.{name}.pcap")
        return {}

    def tables(self, commands):
        """What the commands print, all of them by one small shell; those about IPVS only where it has services."""
        with open("/proc/net/ip_vs") as f:
            has_services = len(f.readlines()) > 3
        wanted = {name: command for name, command in commands.items() if has_services or not command.startswith("ipvsadm")}
        mark = "=== next table ==="
        p = subprocess.run(["/bin/sh", "-c", f"\necho '{mark}'\n".join(wanted.values())], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return dict(zip(wanted, p.stdout.split(mark + "\n")))


def serve(sock, name, out):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    agent = Agent(name, out)
    lock = threading.Lock()
    output = sock.makefile("w")

    def say(answer):
        with lock:
            output.write(json.dumps(answer) + "\n")
            output.flush()

    def handle(request):
        try:
            do = request["do"]
            if do == "run":
                answer = agent.run(request["script"], request["timeout"])
            elif do == "kill":
                answer = agent.kill(request["process"], request["signal"])
            elif do == "write":
                answer = agent.write()
            elif do == "tables":
                answer = agent.tables(request["commands"])
            elif do == "configure":
                answer = agent.configure(request)
            else:
                answer = {}
            say({"id": request["id"], **(answer or {})})
        except Exception as error:
            say({"id": request["id"], "error": repr(error)})

    for line in sock.makefile("r"):
        threading.Thread(target=handle, args=(json.loads(line),), daemon=True).start()
    os._exit(0)


def nursery(sock):
    """Makes an agent, a copy of this process in namespaces of its own, for each socket that comes in; answers with its process id."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    libc.syscall.restype = ctypes.c_long
    while True:
        message, fds, _, _ = socket.recv_fds(sock, 4096, 1)
        if not message:
            return
        pid = libc.syscall(SYS_CLONE, CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | signal.SIGCHLD, 0, 0, 0, 0)
        if pid == 0:
            sock.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                serve(socket.socket(fileno=fds[0]), *json.loads(message))
            finally:
                os._exit(1)
        os.close(fds[0])
        sock.send(str(pid).encode())

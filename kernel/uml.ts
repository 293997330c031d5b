/**
 * A real Linux in a process: boots Debian's user-mode-linux, whose root file system is this machine's, read-only, and gives it jobs.
 *
 * One boot takes seconds, so that many jobs share it; they see nothing of each other, as each host is a set of namespaces.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const KERNELS = ["/usr/bin/linux.uml", "/usr/bin/linux"];
const BOOT_SECONDS_MAX = 120;
const POLL_MS = 100;

/** Debian package -> what the recorder needs of it. */
const PACKAGES: readonly (readonly [string, string])[] = [
  ["user-mode-linux", "/usr/bin/linux.uml"],
  ["python3-minimal", "/usr/bin/python3"],
  ["kmod", "/usr/sbin/modprobe"],
  ["iproute2", "/usr/bin/ip"],
  ["ipvsadm", "/usr/sbin/ipvsadm"],
  ["iptables", "/usr/sbin/iptables-legacy"],
  ["procps", "/usr/bin/pgrep"],
];

/** Packages whose programs scenarios use; without one of them its commands say "command not found". */
const TOOL_PACKAGES: readonly (readonly [string, string])[] = [
  ["net-tools", "/usr/sbin/ifconfig"],
  ["tcpdump", "/usr/bin/tcpdump"],
  ["keepalived", "/usr/sbin/keepalived"],
  ["busybox-static", "/usr/bin/busybox"],
  ["curl", "/usr/bin/curl"],
  ["wget", "/usr/bin/wget"],
  ["apache2-bin", "/usr/sbin/apache2"],
  ["apache2-utils", "/usr/bin/ab"],
  ["iputils-ping", "/usr/bin/ping"],
  ["iputils-arping", "/usr/bin/arping"],
  ["traceroute", "/usr/bin/traceroute"],
  ["netcat-openbsd", "/usr/bin/nc.openbsd"],
  ["socat", "/usr/bin/socat"],
  ["conntrack", "/usr/sbin/conntrack"],
];

/** Debian merges /bin into /usr/bin, but not on every machine. */
function isThere(path: string): boolean {
  return [path, path.replace("/usr/bin/", "/bin/"), path.replace("/usr/sbin/", "/sbin/"), path.replace("/usr/bin/", "/usr/sbin/")].some((one) => existsSync(one));
}

/** Throws an Error that names what to install. */
function checkMachine(): string {
  const kernel = KERNELS.find((path) => existsSync(path));
  const missing = PACKAGES.filter(([, path]) => !isThere(path));
  if (process.platform !== "linux") throw new Error("recording needs Linux: user-mode-linux runs the real kernel as a process");
  if (missing.length > 0 || kernel === undefined) {
    const names = [...missing, ...TOOL_PACKAGES.filter(([, path]) => !isThere(path))].map(([name]) => name);
    throw new Error(`recording needs programs that are not installed: apt-get install -y --no-install-recommends ${names.join(" ")}`);
  }
  if (!existsSync("/lib/modules/") && existsSync("/usr/lib/uml/modules")) throw new Error("the kernel's modules are not where modprobe looks: ln -s /usr/lib/uml/modules /lib/modules");
  return kernel;
}

/** Packages that are not installed and whose programs a scenario may miss. */
export function missingTools(): string[] {
  return TOOL_PACKAGES.filter(([, path]) => !isThere(path)).map(([name]) => name);
}

/** What a job says when it is over. */
export interface JobResult {
  readonly folder: string;
  readonly result: unknown;
}

export class UmlKernel {
  readonly #folder: string;
  readonly #process: ChildProcess;
  #jobCount = 0;
  #hasExited = false;

  private constructor(folder: string, child: ChildProcess) {
    this.#folder = folder;
    this.#process = child;
    child.on("exit", () => {
      this.#hasExited = true;
    });
    process.on("exit", () => this.#kill());
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(130));
  }

  /** Boots; throws an Error that says what is missing or what the console said. */
  static async boot({ memoryMegabytes = 1024 }: { readonly memoryMegabytes?: number } = {}): Promise<UmlKernel> {
    const kernel = checkMachine();
    const folder = mkdtempSync(join(tmpdir(), "lvsim-kernel-"));
    for (const name of ["jobs", "out"]) mkdirSync(join(folder, name));
    cpSync(join(import.meta.dirname, "guest"), join(folder, "guest"), { recursive: true });
    const console = openSync(join(folder, "console.log"), "w");
    const words = [`mem=${memoryMegabytes}M`, "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", `init=${folder}/guest/init.py`, `LVSIM_DIR=${folder}`, "con=null", "con0=null,fd:1", "quiet"];
    const child = spawn(kernel, words, { stdio: ["ignore", console, console], detached: true });
    const uml = new UmlKernel(folder, child);
    const deadline = Date.now() + BOOT_SECONDS_MAX * 1000;
    while (!existsSync(join(folder, "ready"))) {
      if (uml.#hasExited || Date.now() > deadline) {
        uml.#kill();
        throw new Error(`the kernel did not boot: ${uml.#console()}`);
      }
      await sleep(POLL_MS);
    }
    return uml;
  }

  #console(): string {
    return readFileSync(join(this.#folder, "console.log"), "utf8").trim().split("\n").slice(-5).join(" | ") || "it said nothing";
  }

  /** Has a job done; several may be under way. Throws an Error when it fails or takes longer than `secondsMax`. */
  async act(job: unknown, secondsMax: number): Promise<JobResult> {
    const name = `j${this.#jobCount++}`;
    const path = join(this.#folder, "jobs", `${name}.json`);
    writeFileSync(`${path}.tmp`, JSON.stringify(job));
    renameSync(`${path}.tmp`, path);
    const folder = join(this.#folder, "out", name);
    const deadline = Date.now() + secondsMax * 1000;
    for (;;) {
      if (existsSync(join(folder, "result.json"))) return { folder, result: JSON.parse(readFileSync(join(folder, "result.json"), "utf8")) };
      if (existsSync(join(folder, "error.txt"))) throw new Error(`the kernel's side failed: ${readFileSync(join(folder, "error.txt"), "utf8").trim()}`);
      if (this.#hasExited) throw new Error(`the kernel died: ${this.#console()}`);
      if (Date.now() > deadline) throw new Error(`no end within ${Math.round(secondsMax)} s; the console said ${this.#console()}`);
      await sleep(POLL_MS);
    }
  }

  /** Powers off and removes what it left. */
  async stop(): Promise<void> {
    writeFileSync(join(this.#folder, "stop"), "");
    for (let i = 0; i < 100 && !this.#hasExited; i++) await sleep(POLL_MS);
    this.#kill();
    if (statSync(this.#folder).isDirectory()) rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The kernel is a family of processes: all of its process group. */
  #kill(): void {
    if (this.#hasExited || this.#process.pid === undefined) return;
    try {
      process.kill(-this.#process.pid, "SIGKILL");
    } catch {
      // It has just ended by itself.
    }
  }
}

/**
 * The programs that use TCP and UDP, run against each other; outputs and frames are those that the real ones gave on the lab's kernel.
 */

import { describe, expect, test } from "vitest";
import { Lan, MS, SECOND } from "./lan.ts";

function webLan() {
  const lan = new Lan();
  const client = lan.machine("cli", 1);
  const server = lan.machine("srv", 2);
  const started = lan.run(server, "httpd");
  expect([started.exit, started.stderr]).toEqual([0, ""]);
  lan.runFor(2 * SECOND);
  return { lan, client, server };
}

const HANDSHAKE = ["1>2 S 0", "2>1 S. 0", "1>2 . 0"];

describe("curl and the web server", () => {
  test("a body that comes together with its head is answered at once", () => {
    const { lan, client } = webLan();
    const before = lan.loop.nowNs;
    expect(lan.run(client, "curl -s -d x=1 http://10.0.0.2/").stdout).toBe("from srv\n");
    expect(lan.loop.nowNs - before).toBeLessThan(SECOND);
  });

  test("curl whose reader leaves resets the connection and ends with 23", () => {
    const { lan, client, server } = webLan();
    server.files.write("/var/www/html/big.txt", "0123456789abcde\n".repeat(30_000));
    const result = lan.run(client, "curl -sS http://10.0.0.2/big.txt", { readsMax: 4096 });
    lan.runFor(SECOND);
    expect([result.exit, result.stderr]).toEqual([23, "curl: (23) Failure writing output to destination\n"]);
    expect(lan.story().some((frame) => frame.startsWith("1>2 R"))).toBe(true);
    const small = lan.run(client, "curl -sS http://10.0.0.2/", { readsMax: 0 });
    expect([small.exit, small.stderr]).toEqual([23, "curl: (23) Failed writing body\n"]);
  });

  test("the frames of one page", () => {
    const { lan, client } = webLan();
    const result = lan.run(client, "curl -s http://10.0.0.2/");
    lan.runFor(SECOND);
    expect([result.exit, result.stdout, result.stderr]).toEqual([0, "from srv\n", ""]);
    expect(lan.story()).toEqual([...HANDSHAKE, "1>2 . 72", "2>1 . 0", "2>1 . 209", "1>2 . 0", "1>2 F. 0", "2>1 F. 0", "1>2 . 0"]);
  });

  test.each([
    {
      args: "-i",
      path: "/",
      stdout:
        /^HTTP\/1.1 200 OK\r\nDate: \w{3}, \d\d \w{3} \d{4} [\d:]+ GMT\r\nServer: Apache\/2.4.71 \(Debian\)\r\nLast-Modified: .*\r\nETag: "9-[0-9a-f]{13}"\r\nAccept-Ranges: bytes\r\nContent-Length: 9\r\n\r\nfrom srv\n$/,
    },
    { args: "-I", path: "/", stdout: /^HTTP\/1.1 200 OK\r\n(.+\r\n)+Content-Length: 9\r\n\r\n$/ },
    {
      args: "-i",
      path: "/nope",
      stdout: /^HTTP\/1.1 404 Not Found\r\n(.+\r\n)+Content-Length: 236\r\nContent-Type: text\/html; charset=iso-8859-1\r\n\r\n<!DOCTYPE/,
    },
    { args: "-I", path: "/nope", stdout: /^HTTP\/1.1 404 Not Found\r\nDate: .*\r\nServer: .*\r\nContent-Type: text\/html; charset=iso-8859-1\r\n\r\n$/ },
    { args: "-i", path: "/%zz", stdout: /^HTTP\/1.1 400 Bad Request\r\n(.+\r\n)+Content-Length: 266\r\nConnection: close\r\nContent-Type: [^\r]+\r\n\r\n<!D/ },
    { args: "-i", path: "/sub", stdout: /^HTTP\/1.1 301 Moved Permanently\r\n(.+\r\n)+Location: http:\/\/10.0.0.2\/sub\/\r\nContent-Length: 268\r\n/ },
    { args: "-L", path: "/sub", stdout: /^sub\n$/ },
    { args: "-X PUT -d a=b", path: "/", stdout: /The requested method PUT is not allowed/ },
    { args: "-X FOO -i", path: "/", stdout: /501 Not Implemented\r\n(.+\r\n)+Allow: HEAD,GET,POST,OPTIONS,TRACE\r\nContent-Length: 242\r\nConnection: close/ },
    { args: "-d x=1", path: "/", stdout: /^from srv\n$/ },
    { args: "-r 0-2", path: "/a.txt", stdout: /^hel$/ },
    { args: "-i -r 50-60", path: "/a.txt", stdout: /^HTTP\/1.1 416 Requested Range Not Satisfiable\r\nDate.*\r\nServer.*\r\nTransfer-Encoding: chunked\r\n/ },
    { args: "-i --http1.0", path: "/", stdout: /Content-Length: 9\r\nConnection: close\r\n\r\nfrom srv\n$/ },
    { args: "-w %{http_code},%{size_download},%{size_header},%{size_request},%{num_connects}", path: "/", stdout: /^from srv\n200,9,200,72,1$/ },
  ])("curl -s $args $path", ({ args, path, stdout }) => {
    const { lan, client, server } = webLan();
    server.files.makeDirectory("/var/www/html/sub");
    server.files.write("/var/www/html/sub/index.html", "sub\n");
    server.files.write("/var/www/html/a.txt", "hello\n");
    lan.runFor(2 * SECOND);
    const result = lan.run(client, `curl -s ${args} http://10.0.0.2${path}`);
    expect(result.stdout).toMatch(stdout);
    expect([result.exit, result.stderr]).toEqual([0, ""]);
  });

  test.each([
    { line: "curl -sS http://10.0.0.2:81/", exit: 7, stderr: /^curl: \(7\) Failed to connect to 10.0.0.2 port 81 after \d+ ms: Couldn't connect to server\n$/ },
    { line: "curl -sS -m 1 http://10.0.0.77/", exit: 28, stderr: /^curl: \(28\) Connection timed out after 100\d milliseconds\n$/ },
    {
      line: "curl -sS http://10.0.0.77/",
      exit: 7,
      stderr: /^curl: \(7\) Failed to connect to 10.0.0.77 port 80 after 3[01]\d\d ms: Couldn't connect to server\n$/,
    },
    { line: "curl -sS http://10.9.0.1/", exit: 7, stderr: /^curl: \(7\) Failed to connect to 10.9.0.1 port 80 after \d+ ms: Couldn't connect to server\n$/ },
    { line: "curl -sSf http://10.0.0.2/nope", exit: 22, stderr: /^curl: \(22\) The requested URL returned error: 404\n$/ },
    { line: "curl -sS http://nosuch.example/", exit: 6, stderr: /^curl: \(6\) Could not resolve host: nosuch.example\n$/ },
    { line: "curl -sS --interface 10.0.0.9 http://10.0.0.2/", exit: 45, stderr: /^curl: \(45\) bind failed with errno 99: Cannot assign requested address\n$/ },
    { line: "curl --nosuch", exit: 2, stderr: /^curl: option --nosuch: is unknown\ncurl: try 'curl --help' or 'curl --manual' for more information\n$/ },
    { line: "curl -m", exit: 2, stderr: /^curl: option -m: requires parameter\n/ },
    { line: "curl foo://10.0.0.2/", exit: 1, stderr: /^curl: \(1\) Protocol "foo" not supported or disabled in libcurl\n$/ },
    { line: "curl -Z http://10.0.0.2/", exit: 2, stderr: /does not support/ },
  ])("$line", ({ line, exit, stderr }) => {
    const { lan, client } = webLan();
    const result = lan.run(client, line);
    expect(result.stderr).toMatch(stderr);
    expect(result.exit).toBe(exit);
  });

  test("several URLs go over one connection, which is verbose about it", () => {
    const { lan, client } = webLan();
    const result = lan.run(client, "curl -sv http://10.0.0.2/ http://10.0.0.2/nope -o /dev/null");
    expect(lan.story().filter((row) => row.includes(" S "))).toHaveLength(1);
    expect(result.stderr).toContain(
      "*   Trying 10.0.0.2:80...\n* Connected to 10.0.0.2 (10.0.0.2) port 80 (#0)\n> GET / HTTP/1.1\r\n> Host: 10.0.0.2\r\n> User-Agent: curl/7.88.1\r\n> Accept: */*\r\n> \r\n< HTTP/1.1 200 OK\r\n",
    );
    expect(result.stderr).toContain("* Re-using existing connection #0 with host 10.0.0.2\n");
  });

  test("a local port that is still in TIME_WAIT", () => {
    const { lan, client } = webLan();
    expect(lan.run(client, "curl -s --local-port 5556 http://10.0.0.2/").exit).toBe(0);
    lan.runFor(SECOND);
    const again = lan.run(client, "curl -sS --local-port 5556 http://10.0.0.2/");
    expect([again.exit, again.stderr]).toEqual([45, "curl: (45) bind failed with errno 98: Address already in use\n"]);
  });

  test("a big page and a big upload arrive whole", () => {
    const { lan, client, server } = webLan();
    server.files.write("/var/www/html/big", "x".repeat(300_000));
    expect(lan.run(client, "curl -s http://10.0.0.2/big").stdout).toBe("x".repeat(300_000));
    client.files.write("/tmp/up", "y".repeat(2_000_000));
    const up = lan.run(client, ["curl", "-s", "-d", "@/tmp/up", "-o", "/dev/null", "-w", "%{http_code} %{size_upload}\\n", "http://10.0.0.2/"]);
    expect(up.stdout).toBe("200 2000000\n");
  });

  test.each([
    { args: ["-T", "/tmp/up", "http://10.0.0.2/"], stdout: "405 PUT http://10.0.0.2/up 3000", exit: 0 },
    { args: ["-T", "/tmp/up", "http://10.0.0.2/a?b"], stdout: "405 PUT http://10.0.0.2/a?b 3000", exit: 0 },
    { args: ["-T", "/tmp/none", "http://10.0.0.2/"], stdout: "", exit: 26 },
    { args: ["-T", "/tmp/up", "-I", "http://10.0.0.2/"], stdout: "", exit: 2 },
    { args: ["-T", "-", "http://10.0.0.2/"], stdout: "", exit: 2 },
  ])("curl $args uploads a file", ({ args, stdout, exit }) => {
    const { lan, client } = webLan();
    client.files.write("/tmp/up", "u".repeat(3000));
    const result = lan.run(client, ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{method} %{url_effective} %{size_upload}", ...args]);
    expect([result.exit, result.stdout]).toEqual([exit, stdout]);
  });

  test("keep-alive ends after five seconds, by the server", () => {
    const { lan, client } = webLan();
    const since = lan.frames.length;
    lan.start(client, "nc 10.0.0.2 80", {
      input: [
        [0, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"],
        [20 * SECOND, ""],
      ],
    });
    lan.runFor(4 * SECOND);
    expect(lan.story(since).some((row) => row.includes("F"))).toBe(false);
    lan.runFor(2 * SECOND);
    expect(lan.story(since).at(-2)).toBe("2>1 F. 0");
  });

  test("HTTP/1.0: the server closes first", () => {
    const { lan, client } = webLan();
    const since = lan.frames.length;
    const result = lan.run(client, "nc 10.0.0.2 80", { input: "GET / HTTP/1.0\r\n\r\n" });
    expect(result.stdout).toMatch(/Connection: close\r\n\r\nfrom srv\n$/);
    lan.runFor(SECOND);
    expect(lan.story(since).slice(3)).toEqual(["1>2 . 18", "2>1 . 0", "2>1 . 228", "1>2 . 0", "2>1 F. 0", "1>2 F. 0", "2>1 . 0"]);
  });

  test("a taken port, a second start, stopping", () => {
    const lan = new Lan();
    const server = lan.machine("srv", 2);
    lan.start(server, "nc -l -k -p 80");
    lan.runFor(MS);
    const taken = lan.run(server, "httpd");
    expect([taken.exit, taken.stderr]).toEqual([
      1,
      "(98)Address already in use: AH00072: make_sock: could not bind to address 0.0.0.0:80\nno listening sockets available, shutting down\nAH00015: Unable to open logs\n",
    ]);
    expect(lan.run(server, "httpd", { env: { HTTPD_PORTS: "8080 8081" } }).exit).toBe(0);
    expect(lan.run(server, "httpd").exit).toBe(0);
    expect(
      lan
        .run(server, "netstat -ltn")
        .stdout.split("\n")
        .filter((row) => /:808\d/.test(row)),
    ).toHaveLength(2);
    server.processes.kill(Number(server.files.read("/run/httpd.pid")), "TERM");
    lan.runFor(SECOND);
    expect(lan.run(server, "netstat -ltn").stdout).not.toContain(":808");
    expect(server.files.exists("/run/httpd.pid")).toBe(false);
  });
});

describe("nc", () => {
  test("a listener goes on listening while it serves its one peer: others wait in the queue of the kernel", () => {
    const lan = new Lan();
    const client = lan.machine("cli", 1);
    const server = lan.machine("srv", 2);
    lan.start(server, "nc -l -p 7000", { input: [[30 * SECOND, "late\n"]] });
    lan.start(client, "nc 10.0.0.2 7000", { input: [[3 * SECOND, "x\n"]] });
    lan.runFor(SECOND);
    expect(server.host.tcp.listeners.map(({ localPort }) => localPort)).toEqual([7000]);
    const second = lan.start(client, "nc 10.0.0.2 7000", { input: [[60 * SECOND, ""]] });
    lan.runFor(SECOND);
    expect(server.host.tcp.listeners.map(({ acceptQueueLength }) => acceptQueueLength)).toEqual([1]);
    expect(second.exit).toBeUndefined();
  });

  test("nc -p takes no port that an earlier connection still holds in TIME_WAIT", () => {
    const { lan, client } = webLan();
    expect(lan.run(client, "nc -z -p 5555 10.0.0.2 80").exit).toBe(0);
    lan.runFor(2 * SECOND);
    expect(lan.run(client, "nc -z -p 5555 10.0.0.2 80")).toMatchObject({ exit: 1, stderr: "nc: bind failed: Address already in use\n" });
    lan.runFor(60 * SECOND);
    expect(lan.run(client, "nc -z -p 5555 10.0.0.2 80").exit).toBe(0);
  });

  test.each([
    { line: "nc -v -z 10.0.0.2 80", exit: 0, stderr: "Connection to 10.0.0.2 80 port [tcp/http] succeeded!\n" },
    { line: "nc -nvz 10.0.0.2 80", exit: 0, stderr: "Connection to 10.0.0.2 80 port [tcp/*] succeeded!\n" },
    { line: "nc -v -z 10.0.0.2 81", exit: 1, stderr: "nc: connect to 10.0.0.2 port 81 (tcp) failed: Connection refused\n" },
    { line: "nc -z 10.0.0.2 81", exit: 1, stderr: "" },
    { line: "nc 10.0.0.2 81", exit: 1, stderr: "" },
    { line: "nc -zv localhost 81", exit: 1, stderr: "nc: connect to localhost (127.0.0.1) port 81 (tcp) failed: Connection refused\n" },
    { line: "nc -v -w 1 10.0.0.77 80", exit: 1, stderr: "nc: connect to 10.0.0.77 port 80 (tcp) timed out: Operation now in progress\n" },
    { line: "nc -zv 10.0.0.77 80", exit: 1, stderr: "nc: connect to 10.0.0.77 port 80 (tcp) failed: No route to host\n" },
    { line: "nc -zuv 10.0.0.2 5000", exit: 0, stderr: "Connection to 10.0.0.2 5000 port [udp/*] succeeded!\n" },
    { line: "nc -zuv 10.0.0.2 5001", exit: 1, stderr: "" },
    { line: "nc -l -p 80", exit: 1, stderr: "nc: Address already in use\n" },
    { line: "nc -l 10.0.0.9 90", exit: 1, stderr: "nc: Cannot assign requested address\n" },
    { line: "nc nosuch 80", exit: 1, stderr: 'nc: getaddrinfo for host "nosuch" port 80: Temporary failure in name resolution\n' },
    { line: "nc 10.0.0.2", exit: 1, stderr: "nc: missing port number\n" },
    { line: "nc -z -v 10.0.0.2 99999", exit: 1, stderr: "nc: port number too large: 99999\n" },
  ])("$line", ({ line, exit, stderr }) => {
    const { lan, client, server } = webLan();
    lan.start(server, "nc -u -l -p 5000");
    lan.runFor(MS);
    const result = lan.run(line.includes("-l") ? server : client, line);
    expect([result.exit, result.stderr]).toEqual([exit, stderr]);
  });

  test("a scan tells about each port and succeeds with the last that does", () => {
    const { lan, client } = webLan();
    const result = lan.run(client, "nc -vz 10.0.0.2 79-81");
    expect(result.stderr).toBe(
      "nc: connect to 10.0.0.2 port 79 (tcp) failed: Connection refused\nConnection to 10.0.0.2 80 port [tcp/http] succeeded!\nnc: connect to 10.0.0.2 port 81 (tcp) failed: Connection refused\n",
    );
    expect(result.exit).toBe(0);
  });

  test("-N ends both sides; what was sent is there", () => {
    const { lan, client, server } = webLan();
    const listener = lan.start(server, "nc -l -p 7000");
    lan.runFor(MS);
    const data = "abc\n".repeat(30_000);
    const result = lan.run(client, "nc -N 10.0.0.2 7000", { input: data });
    lan.runFor(SECOND);
    expect([result.exit, listener.exit, listener.stdout === data]).toEqual([0, 0, true]);
  });

  test("what a near network says to the data comes before the FIN", () => {
    const { lan, client, server } = webLan();
    lan.start(server, "nc -l -p 7000");
    lan.runFor(MS);
    lan.run(client, "nc -N 10.0.0.2 7000", { input: "x\n" });
    expect(lan.story().slice(3, 6)).toEqual(["1>2 . 2", "2>1 . 0", "1>2 F. 0"]);
  });

  test("without -N a client waits for the other side", () => {
    const { lan, client, server } = webLan();
    lan.start(server, "nc -l -p 7000", { input: [[3 * SECOND, "late\n"]] });
    lan.runFor(MS);
    const result = lan.start(client, "nc 10.0.0.2 7000");
    lan.runFor(10 * SECOND);
    expect([result.exit, result.stdout]).toEqual([undefined, "late\n"]);
  });

  test("-w ends an idle conversation", () => {
    const { lan, client, server } = webLan();
    lan.start(server, "nc -u -l -p 5000");
    lan.runFor(MS);
    const start = lan.loop.nowNs;
    const result = lan.run(client, "nc -u -w 1 10.0.0.2 5000", {
      input: [
        [0, "one\n"],
        [200 * MS, "two\n"],
      ],
    });
    expect(result.exit).toBe(0);
    expect(Math.round((lan.loop.nowNs - start) / (100 * MS))).toBe(12);
    expect(lan.story().slice(-2)).toEqual(["1>2 udp 4", "1>2 udp 4"]);
  });

  test("UDP to a closed port ends it at once, without a word", () => {
    const { lan, client } = webLan();
    const result = lan.run(client, "nc -u -w 1 10.0.0.2 5555", { input: "hello\n" });
    expect(lan.story().slice(-2)).toEqual(["1>2 udp 6", "2>1 icmp"]);
    expect(result.exit).toBe(0);
  });
});

describe("netstat and ss", () => {
  test("an idle connection to the web server: ESTABLISHED here, SYN_RECV there", () => {
    const { lan, client, server } = webLan();
    lan.start(client, "nc 10.0.0.2 80", { input: [[100 * SECOND, ""]] });
    lan.runFor(SECOND);
    expect(lan.run(client, "netstat -nat").stdout).toMatch(
      /^Active Internet connections \(servers and established\)\nProto Recv-Q Send-Q Local Address {11}Foreign Address {9}State {6}\ntcp {8}0 {6}0 10\.0\.0\.1:\d{5} {10}10\.0\.0\.2:80 {13}ESTABLISHED\n$/,
    );
    expect(lan.run(server, "netstat -nat").stdout.split("\n").slice(2).join("\n")).toMatch(
      /^tcp {8}0 {6}0 0\.0\.0\.0:80 {14}0\.0\.0\.0:\* {15}LISTEN {5}\ntcp {8}0 {6}0 10\.0\.0\.2:80 {13}10\.0\.0\.1:\d{5} {10}SYN_RECV {3}\n$/,
    );
  });

  test("listeners as ss and netstat -p show them", () => {
    const { lan, server } = webLan();
    expect(lan.run(server, "ss -ltn").stdout).toBe(
      "State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\nLISTEN 0      511          0.0.0.0:80        0.0.0.0:*          \n",
    );
    expect(lan.run(server, "netstat -ltnp").stdout).toMatch(/\ntcp {8}0 {6}0 0\.0\.0\.0:80 {14}0\.0\.0\.0:\* {15}LISTEN {6}\d+\/apache2 +\n$/);
    expect(lan.run(server, "ss -tln state listening").stdout).toBe(
      "Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n0      511          0.0.0.0:80        0.0.0.0:*          \n",
    );
  });

  test("TIME_WAIT with its timer, and ss filters", () => {
    const { lan, client } = webLan();
    lan.run(client, "curl -s --local-port 5555 http://10.0.0.2/");
    lan.runFor(SECOND);
    expect(lan.run(client, "netstat -nato").stdout).toMatch(/10\.0\.0\.1:5555 {11}10\.0\.0\.2:80 {13}TIME_WAIT {3}timewait \(5[89]\.\d\d\/0\/0\)\n$/);
    expect(lan.run(client, "ss -tn").stdout).toBe("State Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n");
    expect(lan.run(client, ["ss", "-tan", "( dport = :80 or sport = :80 )"]).stdout).toContain("TIME-WAIT 0      0           10.0.0.1:5555     10.0.0.2:80 ");
    expect(lan.run(client, "ss -tan dst 10.0.0.3").stdout.split("\n")).toHaveLength(2);
  });

  test("what the simulated ones cannot do they say", () => {
    const { lan, client } = webLan();
    expect(lan.run(client, "netstat -c")).toMatchObject({ exit: 1 });
    expect(lan.run(client, "ss -K")).toMatchObject({ exit: 1 });
    expect(lan.run(client, "ss --nosuch").exit).toBe(255);
  });

  test("interfaces and routes", () => {
    const { lan, client } = webLan();
    expect(lan.run(client, "netstat -rn").stdout).toBe(
      "Kernel IP routing table\nDestination     Gateway         Genmask         Flags   MSS Window  irtt Iface\n10.0.0.0        0.0.0.0         255.255.255.0   U         0 0          0 eth0\n",
    );
    expect(lan.run(client, "netstat -i").stdout).toMatch(/^Kernel Interface table\nIface {13}MTU .*Flg\neth0 {13}1500 +\d+ .* BMRU\nlo {14}65536 .* LRU\n$/);
  });
});

describe("ab and wget", () => {
  test.each([
    {
      line: "ab -n 20 -c 4 http://10.0.0.2/",
      connections: 20,
      report:
        /Concurrency Level: {6}4\nTime taken for tests: {3}[\d.]+ seconds\nComplete requests: {6}20\nFailed requests: {8}0\nTotal transferred: {6}4560 bytes\nHTML transferred: {7}180 bytes\n/,
    },
    { line: "ab -k -n 20 -c 4 http://10.0.0.2/", connections: 4, report: /Keep-Alive requests: {4}20\nTotal transferred: {6}52\d\d bytes\n/ },
    {
      line: "ab -n 3 http://10.0.0.2/nope",
      connections: 3,
      report: /Document Length: {8}236 bytes\n(.*\n)+Non-2xx responses: {6}3\nTotal transferred: {6}1248 bytes\nHTML transferred: {7}708 bytes\n/,
    },
  ])("$line", ({ line, connections, report }) => {
    const { lan, client } = webLan();
    const result = lan.run(client, line);
    expect(result.stdout).toMatch(report);
    expect(result.stdout).toContain("Benchmarking 10.0.0.2 (be patient).....done\n\n\nServer Software:        Apache/2.4.71\n");
    expect([result.exit, result.stderr]).toEqual([0, ""]);
    expect(lan.story().filter((row) => row === "1>2 S 0")).toHaveLength(connections);
  });

  test("ab: refusals and mistakes", () => {
    const { lan, client } = webLan();
    expect(lan.run(client, "ab -n 2 http://10.0.0.2:81/")).toMatchObject({ exit: 111, stderr: "apr_socket_recv: Connection refused (111)\n" });
    expect(lan.run(client, "ab -n 2 -c 4 http://10.0.0.2/").stderr).toMatch(
      /^ab: Cannot use concurrency level greater than total number of requests\nUsage: ab /,
    );
    expect(lan.run(client, "ab -n 2 http://10.0.0.2").stderr).toMatch(/^ab: invalid URL\n/);
  });

  test("wget", () => {
    const { lan, client } = webLan();
    expect(lan.run(client, "wget -q -O - http://10.0.0.2/").stdout).toBe("from srv\n");
    const refused = lan.run(client, "wget http://10.0.0.2:81/");
    expect(refused.stderr).toMatch(
      /^--\d{4}-\d\d-\d\d [\d:]{8}-- {2}http:\/\/10\.0\.0\.2:81\/\nConnecting to 10\.0\.0\.2:81\.\.\. failed: Connection refused\.\n/,
    );
    expect(refused.exit).toBe(4);
    expect(lan.run(client, "wget http://10.0.0.2/nope")).toMatchObject({ exit: 8 });
    expect(lan.run(client, "wget http://10.0.0.2/").stderr).toContain("HTTP request sent, awaiting response... 200 OK\nLength: 9\nSaving to: 'index.html'\n");
    expect(client.files.read("/root/index.html")).toBe("from srv\n");
  });
});

describe("the end of a process", () => {
  test.each([
    { line: "curl -s http://10.0.0.77/", state: "SYN_SENT" },
    { line: "nc 10.0.0.2 80", state: "ESTABLISHED" },
  ])("$line, killed in $state, leaves no connection behind", ({ line, state }) => {
    const { lan, client } = webLan();
    const result = lan.start(client, line, { input: [[50 * SECOND, ""]] });
    lan.runFor(100 * MS);
    expect(client.host.tcp.sockets.map((socket) => socket.state)).toEqual([state]);
    client.processes.kill(result.pid, "KILL");
    lan.runFor(SECOND);
    expect(client.host.tcp.sockets.filter((socket) => socket.state === state)).toEqual([]);
  });
});

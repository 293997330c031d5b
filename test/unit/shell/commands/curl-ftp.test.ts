import { expect, test } from "vitest";
import { Lab } from "../../../../src/index.ts";

/** A server that answers each command with a line of `answers`, and sends `hello` over port 10001. */
function ftpLab(answers: Readonly<Record<string, string>> = {}): Lab {
  const all: Readonly<Record<string, string>> = {
    USER: "331 password, please",
    PASS: "230 welcome",
    PWD: '257 "/"',
    TYPE: "200 as you like",
    EPSV: "229 extended passive mode (|||10001|)",
    PASV: "227 passive mode (10,0,0,2,39,17)",
    CWD: "250 there",
    SIZE: "500 what?",
    QUIT: "221 goodbye",
    ...answers,
  };
  const lines = Object.entries(all).map(([verb, line]) => `      ${verb}) reply '${line}' ;;`);
  const lab = new Lab();
  lab.host("client", { interfaces: { eth0: { link: "lan", address: "10.0.0.1/24" } } });
  lab.host("server", {
    interfaces: { eth0: { link: "lan", address: "10.0.0.2/24" } },
    files: {
      "/tmp/ftpd.sh": `reply() { printf '%s\\r\\n' "$1" >> /tmp/replies; }
IFS=$(printf ' \\r')
printf '${answers["greeting"] ?? "220 ready"}\\r\\n' > /tmp/replies
(until [ -e /tmp/go ]; do sleep 0.1; done; echo hello) | nc -N -l -p 10001 > /dev/null &
tail -f /tmp/replies | nc -l -p 21 | {
  while read -r verb word rest; do
    echo "$verb $word" >> /tmp/asked
    case $verb in
${lines.join("\n")}
      LIST|RETR) reply '${answers["begin"] ?? "150 here it comes"}'; touch /tmp/go; sleep 0.5; reply '${answers["end"] ?? "226 done"}' ;;
    esac
  done
  pkill tail
}
`,
    },
    run: "sh /tmp/ftpd.sh > /dev/null 2>&1 &",
  });
  return lab;
}

/** As curl 7.88.1 printed it on the reference machine, against the same dialogue. */
const RECORDED = `*   Trying 10.0.0.2:21...
* Connected to 10.0.0.2 (10.0.0.2) port 21 (#0)
< 220 ready
> USER anonymous
< 331 password, please
> PASS ftp@example.com
< 230 welcome
> PWD
< 257 "/"
* Entry path is '/'
* Request has same path as previous transfer
> EPSV
* Connect data stream passively
* ftp_perform ends with SECONDARY: 0
< 229 extended passive mode (|||10001|)
* Connecting to 10.0.0.2 (10.0.0.2) port 10001
*   Trying 10.0.0.2:10001...
* Connected to 10.0.0.2 (10.0.0.2) port 21 (#0)
> TYPE I
< 200 as you like
> SIZE readme
< 500 what?
> RETR readme
< 150 here it comes
* Maxdownload = -1
* Getting file with size: -1
{ [6 bytes data]
* Remembering we are in dir ""
< 226 done
* Connection #0 to host 10.0.0.2 left intact
`;

test("a file: the whole dialogue", () => {
  const lab = ftpLab();
  lab.run("client", "sleep 0.5");
  const { exit, stdout, stderr } = lab.run("client", "curl -sv ftp://10.0.0.2/readme");
  expect({ exit, stdout, stderr }).toEqual({ exit: 0, stdout: "hello\n", stderr: RECORDED.replaceAll(/^([<>] .*)$/gm, "$1\r") });
  expect(lab.run("server", "tail -1 /tmp/asked").stdout).toBe("QUIT \n");
});

test("a listing in a folder, by PASV, with a name and a password, into a file", () => {
  const lab = ftpLab();
  lab.run("client", "sleep 0.5");
  expect(lab.run("client", "curl -s --disable-epsv -u anna:secret -o /tmp/list ftp://10.0.0.2/pub/old/; cat /tmp/list").stdout).toBe("hello\n");
  expect(lab.run("server", "cat /tmp/asked").stdout.split("\n").map((line) => line.trim())).toEqual([
    "USER anna", "PASS secret", "PWD", "CWD pub", "CWD old", "PASV", "TYPE A", "LIST", "QUIT", "",
  ]);
});

test.each([
  { name: "a closed port", answers: { greeting: "421 too many" }, exit: 8 },
  { name: "a wrong password", answers: { PASS: "530 no" }, exit: 67 },
  { name: "a folder that is not there", answers: { CWD: "550 no" }, exit: 9 },
  { name: "a file that is not there", answers: { begin: "550 no such file" }, exit: 78 },
  { name: "a refused transfer", answers: { begin: "425 no" }, exit: 19 },
  { name: "a data port where nobody is", answers: { EPSV: "500 no", PASV: "227 passive mode (10,0,0,2,39,18)" }, exit: 7 },
  { name: "nonsense for a port", answers: { EPSV: "500 no", PASV: "227 passive mode" }, exit: 14 },
  { name: "a transfer that the server gave up", answers: { end: "426 aborted" }, exit: 18 },
])("$name: exit status $exit", ({ answers, exit }) => {
  const lab = ftpLab(answers as unknown as Record<string, string>);
  lab.run("client", "sleep 0.5");
  expect(lab.run("client", "curl -s -m 5 ftp://10.0.0.2/pub/readme").exit).toBe(exit);
});

test("EPSV whose port cannot be reached: PASV is tried", () => {
  const lab = ftpLab({ EPSV: "229 extended passive mode (|||10002|)" });
  lab.run("client", "sleep 0.5");
  expect(lab.run("client", "curl -s ftp://10.0.0.2/readme").stdout).toBe("hello\n");
});

test("what is not simulated is refused", () => {
  const lab = ftpLab();
  expect(lab.run("client", "echo x > /tmp/x; curl -s -S -T /tmp/x ftp://10.0.0.2/").stderr).toContain("not supported by the simulated curl");
  expect(lab.run("client", "curl -s -S ftp://10.0.0.2/a ftp://10.0.0.2/b").exit).toBe(1);
});

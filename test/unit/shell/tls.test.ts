/**
 * TLS between simulated hosts: who speaks it, how it is configured, and what goes over the wire.
 */

import { describe, expect, test } from "vitest";
import { RandomStream } from "../../../src/kernel/random.ts";
import { LINUX_PARTS } from "../../../src/scenario/linux-parts.ts";
import { runScenario } from "../../../src/scenario/run-scenario.ts";
import { parseScenario } from "../../../src/scenario/scenario-file.ts";
import { clientHello, readClientHello } from "../../../src/shell/tls/client-hello.ts";

function run(setup: string, steps: readonly (readonly [number, string, string])[]): { readonly stdout: string; readonly stderr: string; readonly exit: number }[] {
  const lines = steps.map(([at, host, script]) => `  - { at: ${at}s, host: ${host}, run: ${JSON.stringify(script)} }`);
  const text = `title: test
hosts:
  client:
    interfaces: { eth0: { link: lan, address: 10.0.0.1/24 } }
    run: echo 10.0.0.2 www.example.com >> /etc/hosts
  web:
    interfaces: { eth0: { link: lan, address: 10.0.0.2/24 } }
    run: ${JSON.stringify(setup)}
timeline:
${lines.join("\n")}
`;
  return [...runScenario(parseScenario(text, "test.yaml"), { parts: LINUX_PARTS }).timeline] as { stdout: string; stderr: string; exit: number }[];
}

const CERTIFICATE = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=www.example.com -keyout /tmp/key.pem -out /tmp/cert.pem";

describe("servers", () => {
  test.each([
    {
      name: "httpd with conf.d/ssl.conf",
      setup: `${CERTIFICATE}
mkdir -p /etc/httpd/conf.d
printf 'Listen 443 https\\n<VirtualHost _default_:443>\\nSSLEngine on\\nSSLCertificateFile /tmp/cert.pem\\nSSLCertificateKeyFile /tmp/key.pem\\n</VirtualHost>\\n' > /etc/httpd/conf.d/ssl.conf
service httpd start`,
    },
    {
      name: "nginx with listen 443 ssl",
      setup: `${CERTIFICATE}
mkdir -p /etc/nginx/conf.d
printf 'server {\\n  listen 80;\\n  listen 443 ssl;\\n  ssl_certificate /tmp/cert.pem;\\n  ssl_certificate_key /tmp/key.pem;\\n}\\n' > /etc/nginx/conf.d/site.conf
service nginx start`,
    },
  ])("$name", ({ setup }) => {
    const [secure, plain, distrusted, hash] = run(setup, [
      [1, "client", "curl -sk https://10.0.0.2/; curl -sk -o /dev/null -w '%{scheme} %{http_code}\\n' https://www.example.com/"],
      [2, "client", "curl -s http://10.0.0.2/; curl -s http://10.0.0.2:443/ | grep Reason"],
      [3, "client", "curl -s https://10.0.0.2/; echo $?"],
      [4, "client", "genhash -S -s 10.0.0.2 -p 443 -u /; curl -s http://10.0.0.2/ | md5sum | cut -c1-32"],
    ]);
    expect(secure?.stdout).toBe("from web\nHTTPS 200\n");
    expect(plain?.stdout).toBe("from web\nReason: You're speaking plain HTTP to an SSL-enabled server port.<br />\n");
    expect(distrusted?.stdout).toBe("60\n");
    const [ours, theirs] = (hash?.stdout ?? "").split("\n");
    expect(ours).toMatch(/^[0-9a-f]{32}$/);
    expect(ours).toBe(theirs);
  });

  test("openssl s_server and s_client", () => {
    const [, answer, subject] = run(`${CERTIFICATE}\necho hello > /tmp/page.html`, [
      [1, "web", "cd /tmp; openssl s_server -accept 4433 -cert cert.pem -key key.pem -WWW -quiet > /dev/null 2>&1 &"],
      [2, "client", "printf 'GET /page.html HTTP/1.0\\r\\n\\r\\n' | openssl s_client -connect 10.0.0.2:4433 -quiet 2>/dev/null | tail -1; curl -k https://10.0.0.2:4433/none 2>/dev/null"],
      [3, "web", "openssl x509 -in /tmp/cert.pem -noout -subject"],
    ]);
    expect(answer?.stdout).toBe("hello\nError opening 'none'\r\n");
    expect(subject?.stdout).toBe("subject=CN = www.example.com\n");
  });

  test("a certificate that is not there stops the server", () => {
    const [started] = run("mkdir -p /etc/httpd/conf.d; printf 'Listen 443\\nSSLEngine on\\nSSLCertificateFile /tmp/none.pem\\n' > /etc/httpd/conf.d/ssl.conf", [[1, "web", "httpd; echo $?"]]);
    expect(started?.stderr).toContain("SSLCertificateFile: file '/tmp/none.pem' does not exist or is empty");
    expect(started?.stdout).toBe("1\n");
  });
});

describe("the greeting", () => {
  test.each([
    { greeting: { serverName: undefined, protocols: [], isPadded: false, offersOldVersions: true }, bytes: 297 },
    { greeting: { serverName: "www.example.com", protocols: [], isPadded: false, offersOldVersions: true }, bytes: 321 },
    { greeting: { serverName: undefined, protocols: ["h2", "http/1.1"], isPadded: true, offersOldVersions: false }, bytes: 517 },
  ])("has $bytes bytes, as OpenSSL's, and says what it was given", ({ greeting, bytes }) => {
    const hello = clientHello(new RandomStream("test"), greeting);
    expect(hello.length).toBe(bytes);
    expect(readClientHello(hello.subarray(5))).toMatchObject({ serverName: greeting.serverName, protocols: greeting.protocols });
  });
});

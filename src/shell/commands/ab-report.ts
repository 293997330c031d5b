/**
 * What ab prints: its banner, its usage and the report.
 *
 * Apache 2.4 support/ab.c:output_results. Averages and deviations are of nanoseconds, printed in milliseconds.
 */

import { NS_PER_MS, NS_PER_SECOND } from "../../base/time.ts";

export const AB_BANNER = `This is ApacheBench, Version 2.3 <$Revision: 1923142 $>
Copyright 1996 Adam Twiss, Zeus Technology Ltd, http://www.zeustech.net/
Licensed to The Apache Software Foundation, http://www.apache.org/
`;

export const AB_USAGE = `Usage: ab [options] [http[s]://]hostname[:port]/path
Options are:
    -n requests     Number of requests to perform
    -c concurrency  Number of multiple requests to make at a time
    -t timelimit    Seconds to max. to spend on benchmarking
                    This implies -n 50000
    -s timeout      Seconds to max. wait for each response
                    Default is 30 seconds
    -b windowsize   Size of TCP send/receive buffer, in bytes
    -B address      Address to bind to when making outgoing connections
    -p postfile     File containing data to POST. Remember also to set -T
    -u putfile      File containing data to PUT. Remember also to set -T
    -T content-type Content-type header to use for POST/PUT data, eg.
                    'application/x-www-form-urlencoded'
                    Default is 'text/plain'
    -v verbosity    How much troubleshooting info to print
    -w              Print out results in HTML tables
    -i              Use HEAD instead of GET
    -x attributes   String to insert as table attributes
    -y attributes   String to insert as tr attributes
    -z attributes   String to insert as td or th attributes
    -C attribute    Add cookie, eg. 'Apache=1234'. (repeatable)
    -H attribute    Add Arbitrary header line, eg. 'Accept-Encoding: gzip'
                    Inserted after all normal header lines. (repeatable)
    -A attribute    Add Basic WWW Authentication, the attributes
                    are a colon separated username and password.
    -P attribute    Add Basic Proxy Authentication, the attributes
                    are a colon separated username and password.
    -X proxy:port   Proxyserver and port number to use
    -V              Print version number and exit
    -k              Use HTTP KeepAlive feature
    -d              Do not show percentiles served table.
    -S              Do not show confidence estimators and warnings.
    -q              Do not show progress when doing more than 150 requests
    -l              Accept variable document length (use this for dynamic pages)
    -g filename     Output collected data to gnuplot format file.
    -e filename     Output CSV file with percentages served
    -r              Don't exit on socket receive errors.
    -m method       Method name
    -h              Display usage information (this message)
    -I              Disable TLS Server Name Indication (SNI) extension
    -Z ciphersuite  Specify SSL/TLS cipher suite (See openssl ciphers)
    -f protocol     Specify SSL/TLS protocol
                    (SSL2, TLS1, TLS1.1, TLS1.2, TLS1.3 or ALL)
    -E certfile     Specify optional client certificate chain and private key
`;

export interface AbSample {
  readonly connectNs: number;
  readonly waitNs: number;
  readonly totalNs: number;
}

export interface AbTotals {
  server: string;
  bodyLength: number;
  failed: number;
  connectFailures: number;
  receiveFailures: number;
  lengthFailures: number;
  exceptions: number;
  not200: number;
  keptAlive: number;
  bytes: number;
  bodyBytes: number;
  requestBytes: number;
}

export interface AbResult {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly options: { readonly concurrency: number; readonly keepAlive: boolean; readonly showsPercentiles: boolean };
  readonly samples: readonly AbSample[];
  readonly totals: AbTotals;
  readonly elapsedNs: number;
}

const PERCENTILES = [50, 66, 75, 80, 90, 95, 98, 99, 100] as const;

export function formatAbReport(result: AbResult): string {
  const { samples, totals, options } = result;
  const done = samples.length;
  const seconds = result.elapsedNs / NS_PER_SECOND;
  const rows: string[] = [];
  const row = (name: string, value: string): void => {
    rows.push(`${name.padEnd(24)}${value}`);
  };
  row("Server Software:", totals.server);
  row("Server Hostname:", result.host);
  row("Server Port:", String(result.port));
  rows.push("");
  row("Document Path:", result.path);
  row("Document Length:", `${Math.max(totals.bodyLength, 0)} bytes`);
  rows.push("");
  row("Concurrency Level:", String(options.concurrency));
  row("Time taken for tests:", `${seconds.toFixed(3)} seconds`);
  row("Complete requests:", String(done));
  row("Failed requests:", String(totals.failed));
  if (totals.failed > 0)
    rows.push(
      `   (Connect: ${totals.connectFailures}, Receive: ${totals.receiveFailures}, Length: ${totals.lengthFailures}, Exceptions: ${totals.exceptions})`,
    );
  if (totals.not200 > 0) row("Non-2xx responses:", String(totals.not200));
  if (options.keepAlive) row("Keep-Alive requests:", String(totals.keptAlive));
  row("Total transferred:", `${totals.bytes} bytes`);
  row("HTML transferred:", `${totals.bodyBytes} bytes`);
  if (done > 0 && seconds > 0) {
    row("Requests per second:", `${(done / seconds).toFixed(2)} [#/sec] (mean)`);
    row("Time per request:", `${((options.concurrency * 1000 * seconds) / done).toFixed(3)} [ms] (mean)`);
    row("Time per request:", `${((1000 * seconds) / done).toFixed(3)} [ms] (mean, across all concurrent requests)`);
    row("Transfer rate:", `${(totals.bytes / 1024 / seconds).toFixed(2)} [Kbytes/sec] received`);
    rows.push(...connectionTimes(samples));
    if (options.showsPercentiles && done > 1) rows.push(...percentiles(samples));
  }
  return rows.map((line) => `${line}\n`).join("");
}

function connectionTimes(samples: readonly AbSample[]): string[] {
  const line = (name: string, pick: (sample: AbSample) => number): string => {
    const values = samples.map((sample) => pick(sample) / NS_PER_MS).sort((a, b) => a - b);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.length > 1 ? values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1) : 0;
    const middle = values.length >> 1;
    const median = values.length > 1 && values.length % 2 === 0 ? ((values[middle] ?? 0) + (values[middle - 1] ?? 0)) / 2 : (values[middle] ?? 0);
    const ms = (value: number): string => String(Math.round(value));
    return `${name.padEnd(12)} ${ms(values[0] ?? 0).padStart(5)} ${ms(mean).padStart(4)} ${Math.sqrt(variance).toFixed(1).padStart(5)} ${ms(median).padStart(6)} ${ms(values.at(-1) ?? 0).padStart(7)}`;
  };
  return [
    "",
    "Connection Times (ms)",
    "              min  mean[+/-sd] median   max",
    line("Connect:", (s) => s.connectNs),
    line("Processing:", (s) => s.totalNs - s.connectNs),
    line("Waiting:", (s) => s.waitNs),
    line("Total:", (s) => s.totalNs),
  ];
}

function percentiles(samples: readonly AbSample[]): string[] {
  const values = samples.map((sample) => Math.round(sample.totalNs / NS_PER_MS)).sort((a, b) => a - b);
  const at = (percent: number): number => values[Math.min(Math.trunc((values.length * percent) / 100), values.length - 1)] ?? 0;
  return [
    "",
    "Percentage of the requests served within a certain time (ms)",
    ...PERCENTILES.map((percent) =>
      percent === 100 ? ` 100%  ${String(at(100)).padStart(5)} (longest request)` : `  ${percent}%  ${String(at(percent)).padStart(5)}`,
    ),
  ];
}

/**
 * awk as mawk 1.3.4 of Debian 12 is: outputs recorded from it.
 */

import { expect, test } from "vitest";
import { makeShellWorld, runToEnd } from "../../../helpers/shell-run.ts";

const INPUT = "printf 'a b\\nc d\\ne f\\n' > /tmp/in; ";

test.each([
  { script: "awk '/a/{getline; print $1, NR}' /tmp/in", output: "c 2\n" },
  { script: "awk '{r = getline x; print r, x, $0, NR, NF}' < /tmp/in", output: "1 c d a b 2 2\n0 c d e f 3 2\n" },
  { script: "awk 'BEGIN{getline; print; getline; print}' /tmp/in", output: "a b\nc d\n" },
  { script: "awk 'END{r = getline; print r, $0}' /tmp/in", output: "0 e f\n" },
  { script: 'awk \'BEGIN{while ((getline l < "/tmp/in") > 0) n++; print n, NR; close("/tmp/in"); getline < "/tmp/in"; print $2}\'', output: "3 0\nb\n" },
  { script: 'awk \'BEGIN{print "head"; print "b" | "sort"; print "a" | "sort"; close("sort"); print "tail"}\'', output: "head\na\nb\ntail\n" },
  { script: 'awk \'BEGIN{print "b" | "sort"; print "a" | "sort"; print "done"}\'', output: "a\nb\ndone\n" },
  { script: "awk 'BEGIN{exit 3} END{print \"end\"}'; echo $?", output: "end\n3\n" },
  { script: "awk 'NR == 2{exit} {print} END{print NR; exit; print 1}' /tmp/in", output: "a b\n2\n" },
  { script: "awk 'BEGIN{print 2147483647, 2147483648, 100000000000, -2147483648}'", output: "2147483647 2.14748e+09 1e+11 -2.14748e+09\n" },
  { script: 'awk \'BEGIN{print substr("hello",0,3), substr("hello",-1,3), substr("hello",1.5,2), substr("hello",0), substr("hello",4,9)}\'', output: "hel hell he hello lo\n" },
  { script: "awk 'BEGIN{' 2>&1; awk '{print $1' 2>&1; echo $?", output: "awk: line 2: missing } near end of file\nawk: line 2: missing } near end of file\n2\n" },
  { script: "awk '{print x $1, FNR}' /tmp/in x=5 - < /tmp/in | tail -n 4", output: "e 3\n5a 1\n5c 2\n5e 3\n" },
  { script: "awk 'BEGIN{while (1) print \"x\"}' 2> /dev/null | head -n 1", output: "x\n" },
])("$script", ({ script, output }) => {
  expect(runToEnd(makeShellWorld(), INPUT + script)?.stdout).toBe(output);
});

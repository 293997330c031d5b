/**
 * Loaded into another program by --require: says at its end, on standard error, how much processor time it took.
 */

process.on("exit", () => {
  const { user, system } = process.cpuUsage();
  process.stderr.write(`processor ${(user + system) / 1e6}\n`);
});

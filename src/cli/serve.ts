/** `kds serve`: the broker in the foreground, for systemd, a container, or debugging. */

import { runBroker } from '../backends/broker/server/run-broker.ts';
import { serveMetrics } from '../inspect/prometheus.ts';
import { cannotListen, readDuration, readNone, readOptions, readPort } from './arguments.ts';
import { readSocket } from './domain-address.ts';
import { exitCode } from './exit-codes.ts';
import { report } from './messages.ts';
import { traceOrWarn } from './trace-or-warn.ts';

const options = {
  idle: { type: 'string' },
  grace: { type: 'string' },
  metrics: { type: 'string' },
  socket: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

export async function serve(args: readonly string[]): Promise<number | undefined> {
  const { values, positionals } = readOptions(args, options);
  if (values.help) return undefined;
  readNone(positionals);
  const { idle, grace, socket } = values;
  const port = values.metrics === undefined ? undefined : readPort(values.metrics, '--metrics');
  process.umask(0o077);
  traceOrWarn();
  const socketPath = readSocket(socket);
  const broker = await runBroker({
    socketPath,
    idleMs: idle === undefined ? undefined : readDuration(idle, '--idle'),
    graceMs: grace === undefined ? undefined : readDuration(grace, '--grace'),
  });
  if (broker === undefined) {
    report(`another broker already serves ${socketPath}`);
    return exitCode.no;
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => void broker.close());
  }
  if (port !== undefined) {
    try {
      report(`metrics at ${(await serveMetrics(port)).url}`);
    } catch (error) {
      await broker.close();
      throw cannotListen(error, port);
    }
  }
  report(`listening on ${broker.socketPath}`);
  await broker.ended;
  return exitCode.done;
}

/**
 * The program that is started as the broker: `node broker-server.js SOCKET IDLE_MS GRACE_MS [FDS]`.
 * FDS are descriptors, with commas between them, that were left open and are to be closed.
 *
 * It prints `ready` when it serves, or another one does; or the reason why it cannot. From then on
 * its output need not be read. KDS_TRACE, inherited from its parent, names a file for a trace.
 */

import { traceIfAsked } from '../../../inspect/trace.ts';
import { closeInherited } from '../wire/descriptors.ts';
import { runBroker } from './run-broker.ts';

const [socketPath, idleMs, graceMs, fds = ''] = process.argv.slice(2);
closeInherited(fds);
process.umask(0o077);
// The reader may have ended; the terminal too.
process.stdout.on('error', () => undefined);
process.on('SIGHUP', () => undefined);
// With a limit on the size of files (ulimit -f) a write fails, and does not end the broker.
process.on('SIGXFSZ', () => undefined);

traceIfAsked();
try {
  const broker = await runBroker({
    socketPath,
    idleMs: Number(idleMs),
    graceMs: Number(graceMs),
  });
  process.stdout.write('ready\n');
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => void broker?.close());
  }
  await broker?.ended;
} catch (error) {
  process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

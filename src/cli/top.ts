/** `kds top`: the listing on the whole terminal, refreshed, until q is pressed. */

import {
  readDuration,
  readNone,
  readOptions,
  readPort,
  readSocket,
  UsageError,
} from './arguments.ts';
import { exitCode } from './exit-codes.ts';
import { tableOf } from './listing.ts';
import { escaped } from './messages.ts';
import { columnCount, isForPeople } from './output.ts';
import { Snapshots } from './snapshots.ts';
import { topWeb } from './top-web.ts';

const refreshMsMin = 100;
const enter = '\x1b[?1049h\x1b[?25l';
const leave = '\x1b[?25h\x1b[?1049l';

const ctrlC = '\x03';
const ctrlD = '\x04';
const quitKeys: ReadonlySet<string> = new Set(['q', 'Q', ctrlC, ctrlD]);

const options = {
  interval: { type: 'string', short: 'd' },
  web: { type: 'boolean' },
  port: { type: 'string' },
  socket: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

export async function top(args: readonly string[]): Promise<number | undefined> {
  const { values, positionals } = readOptions(args, options);
  if (values.help) return undefined;
  readNone(positionals);
  const refreshMs = Math.max(refreshMsMin, readDuration(values.interval ?? '1', '--interval'));
  if (values.web) {
    const snapshots = new Snapshots(readSocket(values.socket));
    return topWeb(snapshots, readPort(values.port ?? '0', '--port'), refreshMs);
  }
  if (values.port !== undefined) throw new UsageError('--port goes with --web');
  const { stdin, stdout } = process;
  if (!isForPeople || stdin.isTTY !== true) {
    throw new UsageError('top needs a terminal: without one there is kds ls --watch');
  }
  const snapshots = new Snapshots(readSocket(values.socket));
  const quit = new AbortController();
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT'] as const) {
    process.on(signal, () => quit.abort());
  }
  stdin.setRawMode(true);
  stdin.setEncoding('utf8');
  stdin.on('data', (keys: string) => {
    if ([...keys].some((key) => quitKeys.has(key))) quit.abort();
  });
  stdout.write(enter);
  try {
    while (!quit.signal.aborted) {
      stdout.write(await screenOf(snapshots));
      await pause(refreshMs, quit.signal);
    }
  } finally {
    stdout.write(leave);
    stdin.setRawMode(false);
    stdin.pause();
    await snapshots.close();
  }
  return exitCode.done;
}

/** All that is on the terminal, line by line, so that nothing flickers. */
async function screenOf(snapshots: Snapshots): Promise<string> {
  const lines = await linesOf(snapshots);
  // A terminal that does not tell its size tells 0.
  const rowCount = process.stdout.rows || Number.POSITIVE_INFINITY;
  const shownLines = lines.slice(0, rowCount - 1);
  return `\x1b[H${shownLines.map((line) => `${line}\x1b[K\r\n`).join('')}\x1b[J`;
}

async function linesOf(snapshots: Snapshots): Promise<readonly string[]> {
  const { socketPath } = snapshots;
  try {
    const snapshot = await snapshots.read();
    const { held, pending } = snapshot;
    const broker = snapshots.brokerPid;
    const who = broker === undefined ? 'no broker' : `broker ${broker}`;
    const counts = `${held.length} held, ${pending.length} wait`;
    const title = `kds  ${counts}  ${who} at ${escaped(socketPath)}`;
    return [title.slice(0, columnCount()), '', ...tableOf(snapshot, columnCount())];
  } catch (error) {
    return [`kds  ${error instanceof Error ? error.message : String(error)}`];
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      process.stdout.off('resize', end);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    process.stdout.once('resize', end);
    signal.addEventListener('abort', end, { once: true });
  });
}

/** `kds top`: the listing on the whole terminal, refreshed, until q is pressed. */

import { readDelay, readNone, readOptions, readPort, UsageError } from './arguments.ts';
import { addressText, readAddress } from './domain-address.ts';
import { exitCode } from './exit-codes.ts';
import { FullScreen } from './full-screen.ts';
import { poolLines, tableOf } from './listing.ts';
import { escaped, inShellWords } from './messages.ts';
import { columnCount, isForPeople } from './output.ts';
import { type Snapshots, snapshotsAt } from './snapshots.ts';
import { cutTo } from './text-width.ts';
import { topWeb } from './top-web.ts';

const refreshMsMin = 100;
/** Lines for resources with a capacity, at most: the sets are below them. */
const poolCountMax = 5;

const ctrlC = '\x03';
const ctrlD = '\x04';
const quitKeys: ReadonlySet<string> = new Set(['q', 'Q', ctrlC, ctrlD]);

const options = {
  interval: { type: 'string', short: 'd' },
  web: { type: 'boolean' },
  port: { type: 'string' },
  domain: { type: 'string' },
  socket: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

export async function top(args: readonly string[]): Promise<number | undefined> {
  const { values, positionals } = readOptions(args, options);
  if (values.help) return undefined;
  readNone(positionals);
  const refreshMs = Math.max(refreshMsMin, readDelay(values.interval ?? '1', '--interval'));
  if (values.web) {
    const address = readAddress(values.domain, values.socket);
    const port = readPort(values.port ?? '0', '--port');
    return topWeb(snapshotsAt(address), addressText(address), port, refreshMs);
  }
  if (values.port !== undefined) throw new UsageError('--port requires --web');
  if (!isForPeople || process.stdin.isTTY !== true) {
    throw new UsageError('top requires a terminal: without one, use kds ls --watch');
  }
  const snapshots = snapshotsAt(readAddress(values.domain, values.socket));
  let isOver = false;
  let endPause = (): void => undefined;
  const quit = (): void => {
    isOver = true;
    endPause();
  };
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT'] as const) process.on(signal, quit);
  process.stdout.on('resize', () => endPause());
  const screen = new FullScreen({
    onKey: (key) => {
      if (quitKeys.has(key)) quit();
    },
    onBlank: () => endPause(),
  });
  screen.open();
  try {
    while (!isOver) {
      const pause = new Promise<void>((resolve) => {
        endPause = resolve;
      });
      screen.draw(await linesOf(snapshots));
      const timer = setTimeout(endPause, refreshMs);
      await pause;
      clearTimeout(timer);
    }
  } finally {
    screen.close();
    await snapshots.close();
  }
  return exitCode.done;
}

async function linesOf(snapshots: Snapshots): Promise<readonly string[]> {
  try {
    const snapshot = await snapshots.read();
    const { held, pending } = snapshot;
    const counts = `${held.length} held, ${pending.length} waiting`;
    const title = `kds  ${counts}  ${escaped(snapshots.address)}`;
    const columns = columnCount();
    const pools = poolLines(snapshot, columns).slice(0, poolCountMax);
    return [cutTo(title, columns), ...pools, '', ...tableOf(snapshot, columns)];
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [cutTo(`kds  ${escaped(inShellWords(reason))}`, columnCount())];
  }
}

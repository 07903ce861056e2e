/** `kds top --web`: serves the page of held and waiting sets until it is interrupted. */

import { servePage } from '../inspect/page-server.ts';
import { cannotListen } from './arguments.ts';
import { exitCode } from './exit-codes.ts';
import { escaped } from './messages.ts';
import { print } from './output.ts';
import type { Snapshots } from './snapshots.ts';

export async function topWeb(
  snapshots: Snapshots,
  address: string,
  port: number,
  intervalMs: number,
): Promise<number> {
  const page = await servePage({
    read: () => snapshots.read(),
    title: `kds at ${escaped(address)}`,
    port,
    intervalMs,
  }).catch((error: unknown) => {
    throw cannotListen(error, port);
  });
  print(`open ${page.url}`);
  print('press Ctrl-C to stop; every process that knows the address can read the page');
  await new Promise<void>((resolve) => {
    // The page keeps no process alive.
    const alive = setInterval(() => undefined, 2 ** 30);
    for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT'] as const) {
      process.once(signal, () => {
        clearInterval(alive);
        resolve();
      });
    }
  });
  await page.close();
  await snapshots.close();
  return exitCode.done;
}

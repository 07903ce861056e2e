/** Signals, and every way in which kds, the command or the grant can come to an end. */

import { constants } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isRunning, until } from '../broker/programs.ts';
import { freshName, has, type Running, Shop } from './kds.ts';

const shop = new Shop();
const withoutSetpriv = has('setpriv') ? '' : ' (skipped: no setpriv)';

/** A command that says `ready`, and ends when its input does. */
const untilTold = ['sh', '-c', 'echo ready; read line'];

async function holder(name: string, ...options: readonly string[]): Promise<Running> {
  const running = shop.kds(['run', ...options, '-x', name, ...untilTold]);
  await running.says(/ready/);
  return running;
}

const isFree = async (name: string): Promise<boolean> => {
  const grant = await shop.domain.tryAcquire({ exclusive: name });
  grant?.release();
  return grant !== null;
};

beforeAll(() => shop.open());
afterAll(() => shop.close());

describe('a signal to kds', () => {
  it.each(['TERM', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2', 'ALRM'] as const)(
    '%s is handed on to the command, which may make what it likes of it',
    async (signal) => {
      const trap = `trap 'echo got; exit 5' ${signal}; echo ready; while :; do read line; done`;
      const running = shop.kds(['run', '-x', freshName(), 'sh', '-c', trap]);
      await running.says(/ready/);
      running.kill(`SIG${signal}`);
      expect(await running.ended).toMatchObject({ code: 5, stdout: 'ready\ngot\n' });
    },
  );

  it.each(['SIGWINCH', 'SIGCONT'] as const)('%s is handed on too', async (signal) => {
    const script = `process.on('${signal}', () => process.exit(6)); console.log('ready')
      setInterval(() => {}, 1000)`;
    const args = ['run', '-x', freshName(), process.execPath, '-e', script];
    const running = shop.kds(args);
    await running.says(/ready/);
    running.kill(signal);
    expect(await running.ended).toMatchObject({ code: 6 });
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const)(
    '%s ends a command that does not listen for it, and kds with 128 and its number',
    async (signal) => {
      const name = freshName();
      const running = await holder(name);
      running.kill(signal);
      expect((await running.ended).code).toBe(128 + constants.signals[signal]);
      expect(await isFree(name)).toBe(true);
    },
  );

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1'] as const)(
    '%s ends the wait, with 128 and its number, and nobody is left in line',
    async (signal) => {
      const name = freshName();
      const grant = await shop.domain.acquire({ exclusive: name });
      const running = shop.kds(['run', '-x', name, 'echo', 'never']);
      await shop.waiting(name, 1);
      running.kill('SIGWINCH');
      running.kill(signal);
      const ended = await running.ended;
      expect(ended).toMatchObject({ code: 128 + constants.signals[signal], stdout: '' });
      await shop.waiting(name, 0);
      grant.release();
    },
  );
});

describe('the set is let go of', () => {
  it('when the command is killed, whose signal kds tells as shells do', async () => {
    const name = freshName();
    const running = shop.kds(['run', '-x', name, 'sh', '-c', 'kill -KILL $$']);
    expect((await running.ended).code).toBe(137);
    expect(await isFree(name)).toBe(true);
  });

  it('at once when kds is killed, and the next command is told that it was held', async () => {
    const name = freshName();
    const running = await holder(name);
    const next = shop.kds(['run', '-x', name, 'sh', '-c', 'echo "next $KDS_RECOVERED"']);
    await shop.waiting(name, 1);
    running.kill('SIGKILL');
    expect((await next.ended).stdout).toBe(`next ${JSON.stringify([name])}\n`);
    running.child.stdin?.end();
    const third = shop.kds(['run', '-x', name, 'sh', '-c', 'echo "third $KDS_RECOVERED"'], {
      env: { KDS_RECOVERED: 'of another kds around this one' },
    });
    expect((await third.ended).stdout).toBe('third \n');
  });

  it.skipIf(withoutSetpriv !== '')(
    `when kds is killed, and the command with it by setpriv${withoutSetpriv}`,
    async () => {
      const name = freshName();
      const command = ['setpriv', '--pdeathsig', 'KILL', 'sh', '-c', 'echo ready; exec sleep 99'];
      const running = shop.kds(['run', '-x', name, '--', ...command]);
      await running.says(/ready/);
      running.kill('SIGKILL');
      // Not before its output is closed, which the command has open as long as it runs.
      expect(await running.ended).toMatchObject({ signal: 'SIGKILL' });
      await shop.free(name);
    },
  );

  it('when a waiter is killed: those behind it move up', async () => {
    const name = freshName();
    const grant = await shop.domain.acquire({ shared: name });
    const writer = shop.kds(['run', '-x', name, 'true']);
    await shop.waiting(name, 1);
    const reader = shop.kds(['run', '-s', name, 'echo', 'read']);
    await shop.waiting(name, 2);
    writer.kill('SIGKILL');
    expect((await reader.ended).stdout).toBe('read\n');
    grant.release();
  });

  it.each([[[]], [['-o']], [['--close']]])(
    'although the command has left something running (%j)',
    async (flags) => {
      const name = freshName();
      const left = 'sleep 60 >/dev/null 2>&1 & echo "pid $!"';
      const running = shop.kds(['run', ...flags, '-x', name, 'sh', '-c', left]);
      const [, pid] = await running.says(/pid (\d+)/);
      expect((await running.ended).code).toBe(0);
      expect(isRunning(Number(pid))).toBe(true);
      expect(await isFree(name)).toBe(true);
      process.kill(Number(pid), 'SIGKILL');
    },
  );
});

describe('when the set is taken away', () => {
  const steal = async (name: string): Promise<void> => {
    const grant = await shop.domain.acquire({ exclusive: name }, { steal: true });
    grant.release();
  };

  it('the command is asked to end', async () => {
    const name = freshName();
    const running = await holder(name);
    await steal(name);
    const ended = await running.ended;
    expect(ended.code).toBe(143);
    expect(ended.stderr).toMatch(/taken away.*SIGTERM/);
  });

  it('and is killed if it has not ended some time later', async () => {
    const name = freshName();
    const deaf = "trap '' TERM; echo ready; while :; do read line; done";
    const args = ['run', '--kill-after=0.05', '-x', name, 'sh', '-c', deaf];
    const running = shop.kds(args);
    await running.says(/ready/);
    await steal(name);
    expect((await running.ended).code).toBe(137);
  });

  it('and has the time that it was given, however long', async () => {
    const name = freshName();
    const onTerm = "trap 'echo asked; read line; exit 5' TERM; echo ready";
    const command = ['sh', '-c', `${onTerm}; while :; do sleep 0.01; done`];
    const running = shop.kds(['run', '-x', name, '--kill-after', '30d', ...command]);
    await running.says(/ready/);
    await steal(name);
    await running.says(/asked/);
    running.child.stdin?.write('\n');
    const ended = await running.ended;
    expect(ended.code).toBe(5);
    expect(ended.stderr).not.toMatch(/SIGKILL|Warning/);
  });

  it('and is asked although it is stopped', async () => {
    const name = freshName();
    const args = ['run', '-x', name, 'sh', '-c', 'echo pid $$; read line'];
    const running = shop.kds(args);
    const [, pid] = await running.says(/pid (\d+)/);
    process.kill(Number(pid), 'SIGSTOP');
    await steal(name);
    expect((await running.ended).code).toBe(143);
  });

  it('--on-lost=kill kills it at once', async () => {
    const name = freshName();
    const deaf = "trap '' TERM; echo ready; while :; do read line; done";
    const running = shop.kds(['run', '--on-lost=kill', '-x', name, 'sh', '-c', deaf]);
    await running.says(/ready/);
    await steal(name);
    expect((await running.ended).code).toBe(137);
  });

  it('--on-lost=ignore lets it go on', async () => {
    const name = freshName();
    const running = await holder(name, '--on-lost', 'ignore');
    await steal(name);
    await running.says(/goes on/);
    running.child.stdin?.end('line\n');
    expect((await running.ended).code).toBe(0);
  });
});

describe('when the broker is killed', () => {
  it('the command goes on, and nobody else gets what it holds', { timeout: 60_000 }, async () => {
    const socket = shop.file('mortal.sock');
    const server = shop.kds(['serve', '--socket', socket]);
    await server.says(/serves at/);
    const name = freshName();
    const args = ['run', '--socket', socket, '-x', name, ...untilTold];
    const running = shop.kds(args);
    await running.says(/ready/);
    server.kill('SIGKILL');
    await server.ended;
    const other = shop.kds(['run', '--socket', socket, '-n', '-x', name, 'true']);
    expect((await other.ended).code).toBe(75);
    expect(running.child.exitCode).toBe(null);
    const { openBrokerDomain } = await import('kds/broker');
    const domain = await openBrokerDomain({ socket, start: false });
    await until(async () => (await domain.query()).held.length === 1, 'it is claimed');
    running.child.stdin?.end('line\n');
    expect((await running.ended).code).toBe(0);
    process.kill(domain.brokerPid, 'SIGTERM');
    await domain.close();
  });
});

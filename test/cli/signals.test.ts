/** Signals, and every way in which kds, the command or the grant can come to an end. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isRunning, until } from '../broker/programs.ts';
import { CliHarness, freshName, has, type Running } from './cli-harness.ts';

const cli = new CliHarness();
const withoutSetpriv = has('setpriv') ? '' : ' (skipped: no setpriv)';

/** A command that prints `ready`, and ends when its input does. */
const untilInput = ['sh', '-c', 'echo ready; read line'];

async function holder(name: string, ...options: readonly string[]): Promise<Running> {
  const running = cli.kds(['run', ...options, '-x', name, ...untilInput]);
  await running.prints(/ready/);
  return running;
}

const isFree = async (name: string): Promise<boolean> => {
  const grant = await cli.domain.tryAcquire({ exclusive: name });
  grant?.release();
  return grant !== null;
};

beforeAll(() => cli.open());
afterAll(() => cli.close());

describe('a signal to kds', () => {
  it.each(['TERM', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2', 'ALRM'] as const)(
    '%s is handed on to the command, which may make what it likes of it',
    async (signal) => {
      const trap = `trap 'echo got; exit 5' ${signal}; echo ready; while :; do read line; done`;
      const running = cli.kds(['run', '-x', freshName(), 'sh', '-c', trap]);
      await running.prints(/ready/);
      running.kill(`SIG${signal}`);
      expect(await running.ended).toMatchObject({ code: 5, stdout: 'ready\ngot\n' });
    },
  );

  it.each(['SIGWINCH', 'SIGCONT'] as const)('%s is handed on too', async (signal) => {
    const script = `process.on('${signal}', () => process.exit(6)); console.log('ready')
      setInterval(() => {}, 1000)`;
    const args = ['run', '-x', freshName(), process.execPath, '-e', script];
    const running = cli.kds(args);
    await running.prints(/ready/);
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
    '%s ends the wait, with 128 and its number, and no waiter is left',
    async (signal) => {
      const name = freshName();
      const grant = await cli.domain.acquire({ exclusive: name });
      const running = cli.kds(['run', '-x', name, 'echo', 'never']);
      await cli.waiting(name, 1);
      running.kill('SIGWINCH');
      running.kill(signal);
      const ended = await running.ended;
      expect(ended).toMatchObject({ code: 128 + constants.signals[signal], stdout: '' });
      await cli.waiting(name, 0);
      grant.release();
    },
  );
});

/** Its children, or undefined where that cannot be seen. */
const childrenOf = (pid: number): readonly string[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
const withoutProc = existsSync('/proc/self/task') ? '' : ' (skipped: no /proc)';

describe.skipIf(withoutProc !== '')(`a signal to the whole process group${withoutProc}`, () => {
  /** Says each signal that it gets, and ends by USR2. */
  const script = `for (const name of ['TERM', 'HUP', 'INT', 'QUIT', 'USR1', 'ALRM'])
      process.on('SIG' + name, () => console.log('got SIG' + name));
    process.on('SIGUSR2', () => process.exit(7));
    setInterval(() => {}, 1000); console.log('ready')`;
  const command = [process.execPath, '-e', script];

  /** With its command, and what finds out where signals go. */
  async function start(args: readonly string[]): Promise<Running> {
    const running = cli.start(process.execPath, [cli.program, ...args], { isGroup: true });
    await running.prints(/ready/);
    await until(() => childrenOf(running.pid).length === 2, 'a sentinel is there');
    return running;
  }

  it.each(['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGALRM'] as const)(
    '%s reaches the command once, and once again the next time',
    async (signal) => {
      const running = await start(['run', '-x', freshName(), ...command]);
      for (const round of [1, 2]) {
        const [, sentinel] = childrenOf(running.pid);
        process.kill(-running.pid, signal);
        await running.prints(new RegExp(`(got ${signal}\\n){${round}}`));
        await until(() => {
          const [, next] = childrenOf(running.pid);
          return next !== undefined && next !== sentinel;
        }, 'another sentinel is there');
      }
      // It is handed on after what came before it, if that were handed on too.
      running.kill('SIGUSR2');
      const ended = await running.ended;
      expect(ended).toMatchObject({ code: 7, stdout: `ready\n${`got ${signal}\n`.repeat(2)}` });
    },
  );

  it('and to kds itself before that, as timeout(1) has it, is one', async () => {
    const running = await start(['run', '-x', freshName(), ...command]);
    running.kill('SIGSTOP');
    running.kill('SIGTERM');
    process.kill(-running.pid, 'SIGTERM');
    running.kill('SIGCONT');
    await running.prints(/got SIGTERM/);
    running.kill('SIGUSR2');
    expect(await running.ended).toMatchObject({ code: 7, stdout: 'ready\ngot SIGTERM\n' });
  });

  const withoutSetsid = has('setsid') ? '' : ' (skipped: no setsid)';
  it.skipIf(withoutSetsid !== '')(`is handed on to one that left it${withoutSetsid}`, async () => {
    const running = await start(['run', '-x', freshName(), 'setsid', ...command]);
    process.kill(-running.pid, 'SIGTERM');
    await running.prints(/got SIGTERM/);
    running.kill('SIGUSR2');
    expect(await running.ended).toMatchObject({ code: 7, stdout: 'ready\ngot SIGTERM\n' });
  });

  it('reaches each line of a batch once', async () => {
    writeFileSync(cli.file('lines'), `${JSON.stringify({ run: command })}\n`.repeat(2));
    const args = ['batch', '-j', '2', cli.file('lines')];
    const running = cli.start(process.execPath, [cli.program, ...args], { isGroup: true });
    await running.prints(/ready\nready/);
    await until(() => childrenOf(running.pid).length === 3, 'a sentinel is there');
    process.kill(-running.pid, 'SIGUSR1');
    await running.prints(/got SIGUSR1\ngot SIGUSR1/);
    running.kill('SIGUSR2');
    const ended = await running.ended;
    expect(ended.stdout).toBe(`ready\nready\ngot SIGUSR1\ngot SIGUSR1\n`);
  });

  it('is found out by a process that ends with kds', async () => {
    const running = await start(['run', '-x', freshName(), ...command]);
    const [child, sentinel] = childrenOf(running.pid).map(Number);
    running.kill('SIGKILL');
    await until(() => !isRunning(sentinel as number), 'the sentinel has ended');
    process.kill(child as number, 'SIGKILL');
  });
});

describe('a signal that was ignored as kds was started', () => {
  /** HUP comes to kds and the command, as the terminal sends it to all of a session. */
  const script = `echo "pid $$"; read line; echo "went on"`;
  const nohup = (args: string): string => `nohup ${cli.quotedCommand} ${args} 2>&1`;
  const env = { _: '/usr/bin/nohup' };

  it('by nohup stays so: HUP ends neither kds nor the command', async () => {
    const running = cli.kds(['run', '-x', freshName(), 'sh', '-c', script], { env });
    const [, pid] = await running.prints(/pid (\d+)/);
    process.kill(Number(pid), 'SIGHUP');
    running.kill('SIGHUP');
    running.child.stdin?.end('\n');
    expect(await running.ended).toMatchObject({ code: 0, stdout: `pid ${pid}\nwent on\n` });
  });

  it('nor its wait', async () => {
    const name = freshName();
    const grant = await cli.domain.acquire({ exclusive: name });
    const running = cli.kds(['run', '-x', name, 'echo', 'through'], { env });
    await cli.waiting(name, 1);
    running.kill('SIGHUP');
    grant.release();
    expect(await running.ended).toMatchObject({ code: 0, stdout: 'through\n' });
  });

  it('nor a batch; and what cannot be run still is 126 or 127', async () => {
    const input = `${JSON.stringify({ run: script.replace('read line', 'kill -HUP $$ $PPID') })}\n`;
    const ended = await cli.kds(['batch', '-'], { env, input }).ended;
    expect(ended).toMatchObject({ code: 0 });
    expect(ended.stdout).toMatch(/went on/);
    const missing = cli.kds(['run', '-x', freshName(), '/no/such/program'], { env });
    expect((await missing.ended).code).toBe(127);
    const folder = cli.kds(['run', '-x', freshName(), cli.folder], { env });
    expect((await folder.ended).code).toBe(126);
  });

  const noNohup = has('nohup') ? '' : ' (skipped: no nohup)';
  it.skipIf(noNohup !== '')(`or by nohup inside: the set is kept too${noNohup}`, async () => {
    const name = freshName();
    const running = cli.kds(['run', '-x', name, '--', 'nohup', 'sh', '-c', script]);
    const [, pid] = await running.prints(/pid (\d+)/);
    process.kill(Number(pid), 'SIGHUP');
    running.kill('SIGHUP');
    expect(await isFree(name)).toBe(false);
    running.child.stdin?.end('\n');
    expect((await running.ended).stdout).toMatch(/went on\n$/);
  });

  const withoutNohup = has('nohup') && has('bash') ? '' : ' (skipped: no nohup or bash)';
  it.skipIf(withoutNohup !== '')(`which bash starts${withoutNohup}`, async () => {
    const name = freshName();
    const args = `run -x '${name}' sh -c 'kill -HUP $$ $PPID; echo "went on"'`;
    const ended = await cli.start('bash', ['-c', nohup(args)]).ended;
    expect(ended).toMatchObject({ code: 0 });
    expect(ended.stdout).toMatch(/went on/);
  });
});

describe('the set is released', () => {
  it('when the command is killed, whose signal kds reports as shells do', async () => {
    const name = freshName();
    const running = cli.kds(['run', '-x', name, 'sh', '-c', 'kill -KILL $$']);
    expect((await running.ended).code).toBe(137);
    expect(await isFree(name)).toBe(true);
  });

  it('at once when kds is killed, and the next command sees it as recovered', async () => {
    const name = freshName();
    const running = await holder(name);
    const next = cli.kds(['run', '-x', name, 'sh', '-c', 'echo "next $KDS_RECOVERED"']);
    await cli.waiting(name, 1);
    running.kill('SIGKILL');
    expect((await next.ended).stdout).toBe(`next ${JSON.stringify([name])}\n`);
    running.child.stdin?.end();
    const third = cli.kds(['run', '-x', name, 'sh', '-c', 'echo "third $KDS_RECOVERED"'], {
      env: { KDS_RECOVERED: 'of another kds around this one' },
    });
    expect((await third.ended).stdout).toBe('third \n');
  });

  it.skipIf(withoutSetpriv !== '')(
    `when kds is killed, and the command with it by setpriv${withoutSetpriv}`,
    async () => {
      const name = freshName();
      const command = ['setpriv', '--pdeathsig', 'KILL', 'sh', '-c', 'echo ready; exec sleep 99'];
      const running = cli.kds(['run', '-x', name, '--', ...command]);
      await running.prints(/ready/);
      running.kill('SIGKILL');
      // Not before its output is closed, which the command has open as long as it runs.
      expect(await running.ended).toMatchObject({ signal: 'SIGKILL' });
      await cli.free(name);
    },
  );

  it('when a waiter is killed: those behind it move up', async () => {
    const name = freshName();
    const grant = await cli.domain.acquire({ shared: name });
    const writer = cli.kds(['run', '-x', name, 'true']);
    await cli.waiting(name, 1);
    const reader = cli.kds(['run', '-s', name, 'echo', 'read']);
    await cli.waiting(name, 2);
    writer.kill('SIGKILL');
    expect((await reader.ended).stdout).toBe('read\n');
    grant.release();
  });

  it.each([[[]], [['-o']], [['--close']]])(
    'although the command has left something running (%j)',
    async (flags) => {
      const name = freshName();
      const left = 'sleep 60 >/dev/null 2>&1 & echo "pid $!"';
      const running = cli.kds(['run', ...flags, '-x', name, 'sh', '-c', left]);
      const [, pid] = await running.prints(/pid (\d+)/);
      expect((await running.ended).code).toBe(0);
      expect(isRunning(Number(pid))).toBe(true);
      expect(await isFree(name)).toBe(true);
      process.kill(Number(pid), 'SIGKILL');
    },
  );
});

describe('when the set is lost', () => {
  const steal = async (name: string): Promise<void> => {
    const grant = await cli.domain.acquire({ exclusive: name }, { steal: true });
    grant.release();
  };

  it('the command is asked to end', async () => {
    const name = freshName();
    const running = await holder(name);
    await steal(name);
    const ended = await running.ended;
    expect(ended.code).toBe(143);
    expect(ended.stderr).toMatch(/was lost.*SIGTERM/);
  });

  it('and is killed if it has not ended some time later', async () => {
    const name = freshName();
    const deaf = "trap '' TERM; echo ready; while :; do read line; done";
    const args = ['run', '--kill-after=0.05', '-x', name, 'sh', '-c', deaf];
    const running = cli.kds(args);
    await running.prints(/ready/);
    await steal(name);
    expect((await running.ended).code).toBe(137);
  });

  it('and has the time that it was given, however long', async () => {
    const name = freshName();
    const onTerm = "trap 'echo asked; read line; exit 5' TERM; echo ready";
    const command = ['sh', '-c', `${onTerm}; while :; do sleep 0.01; done`];
    const running = cli.kds(['run', '-x', name, '--kill-after', '30d', ...command]);
    await running.prints(/ready/);
    await steal(name);
    await running.prints(/asked/);
    running.child.stdin?.write('\n');
    const ended = await running.ended;
    expect(ended.code).toBe(5);
    expect(ended.stderr).not.toMatch(/SIGKILL|Warning/);
  });

  it('and is asked although it is stopped', async () => {
    const name = freshName();
    const args = ['run', '-x', name, 'sh', '-c', 'echo pid $$; read line'];
    const running = cli.kds(args);
    const [, pid] = await running.prints(/pid (\d+)/);
    process.kill(Number(pid), 'SIGSTOP');
    await steal(name);
    expect((await running.ended).code).toBe(143);
  });

  it('--on-lost=kill kills it at once', async () => {
    const name = freshName();
    const deaf = "trap '' TERM; echo ready; while :; do read line; done";
    const running = cli.kds(['run', '--on-lost=kill', '-x', name, 'sh', '-c', deaf]);
    await running.prints(/ready/);
    await steal(name);
    expect((await running.ended).code).toBe(137);
  });

  it('--on-lost=ignore lets it go on', async () => {
    const name = freshName();
    const running = await holder(name, '--on-lost', 'ignore');
    await steal(name);
    await running.prints(/continues/);
    running.child.stdin?.end('line\n');
    expect((await running.ended).code).toBe(0);
  });
});

describe('when the broker is killed', () => {
  it('the command goes on, and nobody else gets what it holds', async () => {
    const socket = cli.file('mortal.sock');
    const server = cli.kds(['serve', '--socket', socket]);
    await server.prints(/listening on/);
    const name = freshName();
    const args = ['run', '--socket', socket, '-x', name, ...untilInput];
    const running = cli.kds(args);
    await running.prints(/ready/);
    server.kill('SIGKILL');
    await server.ended;
    const other = cli.kds(['run', '--socket', socket, '-n', '-x', name, 'true']);
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

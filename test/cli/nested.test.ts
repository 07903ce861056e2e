/** `kds run` within the command of another one, which waits for it: what would hang is refused. */

import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawClient } from '../broker/raw-client.ts';
import { CliHarness, freshName, type Running } from './cli-harness.ts';

const cli = new CliHarness();
let word = '';

beforeAll(async () => {
  await cli.open();
  ({ quotedCommand: word } = cli);
});
afterAll(() => cli.close());

/** A shell under a set, which continues after a line of input. */
async function hold(set: readonly string[], script: string): Promise<Running> {
  const running = cli.kds(['run', ...set, 'sh', '-c', `echo begun; read line; ${script}`]);
  await running.prints(/begun/);
  return running;
}

describe('kds run within kds run', () => {
  it('is refused at once if it wants what the outer one holds, which goes on', async () => {
    const name = freshName();
    const script = `${word} run -x '${name}' echo never; echo "inner $?"`;
    const { code, stdout, stderr } = await cli.kds(['run', '-x', name, 'sh', '-c', script]).ended;
    expect(code).toBe(0);
    expect(stdout).toBe('inner 64\n');
    expect(stderr).toContain('deadlock: ');
    expect(stderr).toContain(`waits for exclusive "${name}" (held by `);
    expect(stderr).toContain('outer kds run');
  });

  it('is refused by the outermost of three too', async () => {
    const [a, b] = [freshName(), freshName()];
    const script = `${word} run -x '${b}' sh -c "${word} run -s '${a}' true"`;
    expect(await cli.kds(['run', '-x', a, 'sh', '-c', script]).ended).toMatchObject({ code: 64 });
  });

  it('takes what is free, or shared by both', async () => {
    const [a, b] = [freshName(), freshName()];
    const script = `${word} run -s '${a}' -x '${b}' echo inner`;
    const ended = await cli.kds(['run', '-s', a, 'sh', '-c', script]).ended;
    expect(ended).toMatchObject({ code: 0, stdout: 'inner\n', stderr: '' });
  });

  it('is refused what both would share, once a writer waits between them', async () => {
    const name = freshName();
    const outer = await hold(['-s', name], `${word} run -s '${name}' true`);
    const writer = cli.kds(['run', '-x', name, 'true']);
    await cli.waiting(name, 1);
    outer.child.stdin?.end('\n');
    expect(await outer.ended).toMatchObject({ code: 64 });
    expect(await writer.ended).toMatchObject({ code: 0 });
  });

  it('in opposite orders, as flock hangs: one of the two is refused, and both end', async () => {
    const [a, b] = [freshName(), freshName()];
    const one = await hold(['-x', a], `${word} run -x '${b}' true`);
    const other = await hold(['-x', b], `${word} run -x '${a}' true`);
    one.child.stdin?.end('\n');
    await cli.waiting(b, 1);
    other.child.stdin?.end('\n');
    expect(await other.ended).toMatchObject({ code: 64 });
    expect(await one.ended).toMatchObject({ code: 0 });
  });

  it('that would not wait has its own answer', async () => {
    const name = freshName();
    const ended = await cli.kds(['run', '-x', name, 'sh', '-c', `${word} run -n -x '${name}' true`])
      .ended;
    expect(ended).toMatchObject({ code: 75, stderr: '' });
  });

  it('may wait for one that does not wait for it, with KDS_UNDER unset', async () => {
    const name = freshName();
    const inner = `env -u KDS_UNDER ${word} run -x '${name}' echo inner`;
    const outer = await hold(['-x', name], `${inner} & read line`);
    outer.child.stdin?.write('\n');
    await cli.waiting(name, 1);
    outer.child.stdin?.end('\n');
    expect(await outer.ended).toMatchObject({ code: 0, stdout: 'begun\ninner\n' });
  });

  it('that outlives the outer one is not bound to it any more', async () => {
    const name = freshName();
    const gate = cli.file('gate');
    const inner = `(read line <'${gate}'; ${word} run -x '${name}' echo inner) &`;
    const outer = cli.sh(`mkfifo '${gate}'; kds run -x '${name}' sh -c "${inner}"; echo over`);
    await outer.prints(/over/);
    await writeFile(gate, '\n');
    expect(await outer.ended).toMatchObject({ code: 0, stdout: 'over\ninner\n', stderr: '' });
  });

  it('is known to kds batch, on both sides', async () => {
    const name = freshName();
    const line = (run: string) => JSON.stringify({ run, writes: name });
    const inBatch = cli.kds(['batch', '-'], { input: line(`${word} run -s '${name}' true`) });
    expect(await inBatch.ended).toMatchObject({ code: 2 });
    const batch = `echo '${line('true').replaceAll("'", "'\\''")}' | ${word} batch -`;
    const inRun = await cli.kds(['run', '-x', name, 'sh', '-c', batch]).ended;
    expect(inRun).toMatchObject({ code: 2 });
    expect(inRun.stderr).toContain('deadlock: ');
  });
});

describe('a process under a grant, as its client reports it to the broker', () => {
  const greeted = async (under: unknown): Promise<RawClient> => {
    const client = await RawClient.connect(cli.socket);
    client.say({ do: 'hello', version: 2, under });
    return client;
  };

  it('is a token and the process that holds it: both must be right', async () => {
    const name = freshName();
    const { token } = await cli.domain.acquire({ exclusive: name });
    const request = { do: 'acquire', id: 1, parts: [[name, 1]] };
    for (const [under, reply] of [
      [{ token, pid: process.pid }, 'refused'],
      [{ token, pid: process.pid + 1 }, 'waiting'],
      [{ token: token + 1, pid: process.pid }, 'waiting'],
    ] as const) {
      const client = await greeted([under]);
      client.say(request);
      await client.next(reply);
      client.socket.destroy();
    }
  });

  it('is checked like all frames of a client', async () => {
    const outer = { token: 1, pid: 1 };
    for (const under of [
      1,
      [1],
      [null],
      [{ token: 1 }],
      [{ token: 'a', pid: 1 }],
      Array(65).fill(outer),
    ]) {
      const client = await greeted(under);
      expect(await client.next('error')).toMatchObject({ code: 'KDS_PROTOCOL' });
      await client.closed();
    }
    const client = await greeted(Array(64).fill(outer));
    await client.next('hello');
    client.socket.destroy();
  });

  it('is nothing to a client that finds something else in its environment', async () => {
    for (const value of ['', 'x', '{}', '[1]', '[{"token":"1","pid":1}]']) {
      const ended = cli.kds(['run', '-x', freshName(), 'true'], {
        env: { KDS_UNDER: value },
      }).ended;
      expect(await ended).toMatchObject({ code: 0, stderr: '' });
    }
  });
});

/** Many shells at once: what kds is for. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../broker/programs.ts';
import { CliHarness, freshName, has } from './cli-harness.ts';

const cli = new CliHarness();
const hasLocks = has('flock') && existsSync('/proc/locks');
const withoutLocks = hasLocks ? '' : ' (skipped: no flock or /proc/locks)';

beforeAll(() => cli.open());
afterAll(() => cli.close());

/** Complaints about a journal in which each wrote `+ who` at first and `- who` at last. */
function overlaps(journal: string): string[] {
  const inside = new Set<string>();
  const complaints: string[] = [];
  for (const line of journal.trim().split('\n')) {
    const [does, who = ''] = line.split(' ');
    if (does === '-') inside.delete(who);
    else {
      if (inside.size > 0) complaints.push(`${who} came while ${[...inside]} was inside`);
      inside.add(who);
    }
  }
  return complaints;
}

describe('commands with a resource in common', () => {
  it('are never at work at the same time', async () => {
    const name = freshName();
    const journal = cli.file('journal');
    const script = `for i in 1 2 3 4; do kds run -x '${name}' sh -c 'echo "+ $$" >>"$0"
      ls -lR /proc/self/fd >/dev/null 2>&1; echo "- $$" >>"$0"' '${journal}' || exit; done`;
    const all = [1, 2, 3, 4, 5].map(() => cli.sh(script));
    for (const each of all) expect((await each.ended).code).toBe(0);
    const text = readFileSync(journal, 'utf8');
    expect(text.trim().split('\n')).toHaveLength(40);
    expect(overlaps(text)).toEqual([]);
  });

  it('would be seen if they were', () => {
    expect(overlaps('+ 1\n- 1\n+ 2\n- 2')).toEqual([]);
    expect(overlaps('+ 1\n+ 2\n- 1\n- 2')).toEqual(['2 came while 1 was inside']);
  });

  it('that only share it are', async () => {
    const name = freshName();
    const [one, other] = [1, 2].map(() => {
      return cli.kds(['run', '-s', name, 'sh', '-c', 'echo in; read line']);
    });
    await one?.prints(/in/);
    await other?.prints(/in/);
    one?.child.stdin?.end('\n');
    other?.child.stdin?.end('\n');
    expect((await one?.ended)?.code).toBe(0);
    expect((await other?.ended)?.code).toBe(0);
  });

  it('begin in the order in which they came', async () => {
    const name = freshName();
    const order = cli.file('order');
    writeFileSync(order, '');
    const grant = await cli.domain.acquire({ exclusive: name });
    const all = [];
    for (const number of [1, 2, 3, 4, 5, 6]) {
      const script = `echo ${number} >>'${order}'`;
      all.push(cli.kds(['run', '-x', name, '-s', 'beside', 'sh', '-c', script]));
      await cli.waiting(name, number);
    }
    grant.release();
    for (const each of all) expect((await each.ended).code).toBe(0);
    expect(readFileSync(order, 'utf8')).toBe('1\n2\n3\n4\n5\n6\n');
  });
});

describe('two resources, asked for in opposite orders', () => {
  it('by fifty shells: all of them end', async () => {
    const [a, b] = [freshName(), freshName()];
    const journal = cli.file('fifty');
    const work = `sh -c 'echo "+ $$" >>"$0"; echo "- $$" >>"$0"' '${journal}'`;
    const all = Array.from({ length: 50 }, (_, index) => {
      const [first, second] = index % 2 === 0 ? [a, b] : [b, a];
      return cli.sh(`kds run -x '${first}' -x '${second}' ${work}`);
    });
    for (const each of all) expect(await each.ended).toMatchObject({ code: 0, stderr: '' });
    const text = readFileSync(journal, 'utf8');
    expect(text.trim().split('\n')).toHaveLength(100);
    expect(overlaps(text)).toEqual([]);
  });
});

describe('what the README shows', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const lines = (start: string): readonly string[] =>
    readme.split('\n').filter((line) => line.startsWith(start) && line.includes('# in '));

  const hang = 'nested flock: both wait for ever';
  it.skipIf(withoutLocks !== '')(`${hang}${withoutLocks}`, async () => {
    const both = lines('flock').map((line) => {
      // Not a second, which may be short, but until both have one.
      const script = line.replace('sleep 1', 'echo has one; read line');
      const shell = spawn('/bin/sh', ['-c', script], { cwd: cli.folder, detached: true });
      return { shell, ended: once(shell, 'exit') };
    });
    expect(both).toHaveLength(2);
    for (const { shell } of both) await once(shell.stdout, 'data');
    for (const { shell } of both) shell.stdin.write('\n');
    // The kernel lists a waiter for each of the two files.
    await until(() => isWaitedFor('a') && isWaitedFor('b'), 'both wait');
    expect(both.map(({ shell }) => shell.exitCode)).toEqual([null, null]);
    // Both at once: the end of one lets the other go on, and end.
    for (const { shell } of both) process.kill(-(shell.pid as number), 'SIGKILL');
    await Promise.all(both.map(({ ended }) => ended));
  });

  it('kds run: both end', async () => {
    const both = lines('kds run').map((line) => cli.sh(line));
    const results = await Promise.all(both.map(({ ended }) => ended));
    expect(results.map(({ code }) => code)).toEqual([0, 0]);
    expect(results.map(({ stdout }) => stdout)).toEqual(['one\n', 'two\n']);
  });
});

/** Whether /proc/locks lists a waiter for a file: `-> FLOCK ADVISORY WRITE pid device:inode`. */
function isWaitedFor(name: string): boolean {
  const path = cli.file(name);
  if (!existsSync(path)) return false;
  const { ino } = statSync(path);
  const waiting = new RegExp(`-> FLOCK .*:${ino} `);
  return waiting.test(readFileSync('/proc/locks', 'utf8'));
}

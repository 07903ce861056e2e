/** Many shells at once: what kds is for. */

import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshName, has, Shop } from './kds.ts';

const shop = new Shop();
const withoutFlock = has('flock') ? '' : ' (skipped: no flock)';

beforeAll(() => shop.open());
afterAll(() => shop.close());

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
    const journal = shop.file('journal');
    const script = `for i in 1 2 3 4; do kds run -x '${name}' sh -c 'echo "+ $$" >>"$0"
      ls -lR /proc/self/fd >/dev/null 2>&1; echo "- $$" >>"$0"' '${journal}' || exit; done`;
    const all = [1, 2, 3, 4, 5].map(() => shop.sh(script));
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
      return shop.kds(['run', '-s', name, 'sh', '-c', 'echo in; read line']);
    });
    await one?.says(/in/);
    await other?.says(/in/);
    one?.child.stdin?.end('\n');
    other?.child.stdin?.end('\n');
    expect((await one?.ended)?.code).toBe(0);
    expect((await other?.ended)?.code).toBe(0);
  });

  it('begin in the order in which they came', async () => {
    const name = freshName();
    const order = shop.file('order');
    writeFileSync(order, '');
    const grant = await shop.domain.acquire({ exclusive: name });
    const all = [];
    for (const number of [1, 2, 3, 4, 5, 6]) {
      const script = `echo ${number} >>'${order}'`;
      all.push(shop.kds(['run', '-x', name, '-s', 'beside', 'sh', '-c', script]));
      await shop.waiting(name, number);
    }
    grant.release();
    for (const each of all) expect((await each.ended).code).toBe(0);
    expect(readFileSync(order, 'utf8')).toBe('1\n2\n3\n4\n5\n6\n');
  });
});

describe('two resources, asked for in opposite orders', () => {
  it('by fifty shells: all of them end', { timeout: 120_000 }, async () => {
    const [a, b] = [freshName(), freshName()];
    const journal = shop.file('fifty');
    const work = `sh -c 'echo "+ $$" >>"$0"; echo "- $$" >>"$0"' '${journal}'`;
    const all = Array.from({ length: 50 }, (_, index) => {
      const [first, second] = index % 2 === 0 ? [a, b] : [b, a];
      return shop.sh(`kds run -x '${first}' -x '${second}' ${work}`);
    });
    for (const each of all) expect(await each.ended).toMatchObject({ code: 0, stderr: '' });
    const text = readFileSync(journal, 'utf8');
    expect(text.trim().split('\n')).toHaveLength(100);
    expect(overlaps(text)).toEqual([]);
  });

  const hang = 'by two nested flock: both wait for each other, until one gives up';
  it.skipIf(withoutFlock !== '')(`${hang}${withoutFlock}`, async () => {
    const nested = (first: string, second: string): string => {
      const gate = `: >'${first}.held'; while [ ! -e '${second}.held' ]; do sleep 0.01; done`;
      return `flock '${first}' -c "${gate}; flock -w 0.5 '${second}' true"`;
    };
    const [a, b] = [shop.file('a'), shop.file('b')];
    const one = shop.sh(nested(a, b));
    const other = shop.sh(nested(b, a));
    const codes = [(await one.ended).code, (await other.ended).code];
    expect(Math.max(...codes.map(Number))).toBe(1);
  });
});

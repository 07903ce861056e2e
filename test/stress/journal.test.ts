/** The checker of the stress tests must see what is wrong, and excuse only what it may. */

import { describe, expect, it } from 'vitest';
import { checkJournal, type Excuse, type Line } from './journal.ts';

const begin = (id: string, token: number, exclusive: string[], shared: string[] = []): Line => {
  return { client: id[0] as string, do: 'begin', id, token, set: { exclusive, shared } };
};
const end = (id: string): Line => ({ client: id[0] as string, do: 'end', id });
const lost = (id: string): Line => ({ client: id[0] as string, do: 'lost', id });
const faultCount = (lines: readonly Line[], excuse?: Excuse): number =>
  checkJournal(lines, excuse).faults.length;

describe('the checker of the journal', () => {
  it('sees two that hold at once', () => {
    const ends = [end('1.1'), end('2.1')];
    expect(faultCount([begin('1.1', 1, ['a']), begin('2.1', 2, [], ['a']), ...ends])).toBe(1);
    expect(faultCount([begin('1.1', 1, [], ['a']), begin('2.1', 2, ['a']), ...ends])).toBe(1);
    expect(faultCount([begin('1.1', 1, [], ['a']), begin('2.1', 2, [], ['a']), ...ends])).toBe(0);
    expect(faultCount([begin('1.1', 1, ['a']), begin('2.1', 2, ['b']), ...ends])).toBe(0);
  });

  it('sees a token that is older than that of an earlier holder', () => {
    const inTurn = (...lines: readonly [Line, Line]): readonly Line[] => {
      return [lines[0], end('1.1'), lines[1], end('2.1')];
    };
    expect(faultCount(inTurn(begin('1.1', 2, ['a']), begin('2.1', 1, ['a'])))).toBe(1);
    expect(faultCount(inTurn(begin('1.1', 2, [], ['a']), begin('2.1', 1, ['a'])))).toBe(1);
    expect(faultCount(inTurn(begin('1.1', 2, [], ['a']), begin('2.1', 1, [], ['a'])))).toBe(0);
    expect(faultCount(inTurn(begin('1.1', 1, ['a']), begin('2.1', 1, ['a'])))).toBe(1);
    expect(faultCount(inTurn(begin('1.1', 1, ['a']), begin('2.1', 2, ['a'])))).toBe(0);
  });

  it('sees who never ends, and takes the killed for ended', () => {
    expect(faultCount([begin('1.1', 1, ['a'])])).toBe(1);
    expect(faultCount([begin('1.1', 1, ['a']), lost('1.1'), begin('2.1', 2, ['a'])])).toBe(1);
    const kill: Line = { client: '1', do: 'kill' };
    expect(faultCount([begin('1.1', 1, ['a']), kill])).toBe(0);
    expect(faultCount([kill, begin('1.1', 1, ['a']), begin('2.1', 2, ['a']), end('2.1')])).toBe(0);
    expect(faultCount([begin('1.1', 1, ['a']), kill, begin('2.1', 2, ['a'])])).toBe(1);
    expect(faultCount([{ client: '1', do: 'failed', error: 'in the way' }])).toBe(1);
  });

  it('excuses an overlap only by a loss before the later grant, in any order of reports', () => {
    const lostAt: Excuse = (token, laterToken) => token === 1 && laterToken > 5;
    const overlapping = (later: number): readonly Line[] => {
      return [begin('1.1', 1, ['a']), begin('2.1', later, ['a']), end('1.1'), end('2.1')];
    };
    expect(faultCount(overlapping(6), lostAt)).toBe(0);
    expect(faultCount(overlapping(5), lostAt)).toBe(1);
    const lateNews = (later: number): readonly Line[] => {
      return [begin('2.1', later, ['a']), end('2.1'), begin('1.1', 1, ['a']), end('1.1')];
    };
    expect(faultCount(lateNews(6), lostAt)).toBe(0);
    expect(faultCount(lateNews(5), lostAt)).toBe(1);
  });
});

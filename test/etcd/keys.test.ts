import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeResource, Keys } from '../../src/backends/etcd/keys.ts';

/** Lone surrogates too. */
const anyName = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map(fromUnit) });

function fromUnit(unit: number): string {
  return String.fromCharCode(unit);
}

describe('the keys of a domain', () => {
  it('distinguish any two resources, whatever their names', () => {
    fc.assert(
      fc.property(anyName, anyName, (one, other) => {
        const isSame = encodeResource(one, 's') === encodeResource(other, 's');
        expect(isSame).toBe(one === other);
      }),
      { numRuns: 2000 },
    );
  });

  it('distinguish similar resources', () => {
    const alike = ['', '%', '%25', '#', '#0/1', '%23', '\ud800', '%ud800', '\ud83d\ude00', '\0'];
    alike.push('\ude00\ud83d', 'a', 'a/', '/a', 'A', 'é', 'e\u0301', '%C3%A9');
    const encoded = alike.map((name) => encodeResource(name, '0'));
    expect(new Set([...encoded, encodeResource(1, '0'), encodeResource(1, '1')]).size).toBe(
      alike.length + 2,
    );
  });

  it('are bytes that JSON and etcd keep as they are', () => {
    fc.assert(
      fc.property(anyName, (name) => {
        const encoded = encodeResource(name, 's');
        expect(Buffer.from(encoded, 'utf8').toString('utf8')).toBe(encoded);
      }),
    );
  });

  it('of one domain are never those of another', () => {
    const prefixes = ['a', 'a/q', 'a/', 'a/q/', 'a%2Fq', 'A', 'ab', ' a'].map(
      (name) => new Keys(name).prefix,
    );
    for (const one of prefixes) {
      expect(prefixes.filter((other) => other.startsWith(one))).toEqual([one]);
    }
  });

  it('of sets are in the order of their numbers, and are read back', () => {
    const keys = new Keys('name');
    const numbers = [1, 2, 9, 10, 11, 99, 100, 2 ** 31, 2 ** 53 - 1];
    const made = numbers.map((number) => keys.set('0af', number));
    expect([...made].sort()).toEqual(made);
    expect(made.map((key) => keys.partsOfSet(key))).toEqual(
      numbers.map((number) => ({ session: '0af', number })),
    );
    for (const strange of ['kds/name/q/x/1', 'kds/name/q/0af', `${made[0]}/`, 'kds/other/q/0/1']) {
      expect(keys.partsOfSet(strange)).toBeUndefined();
    }
  });
});

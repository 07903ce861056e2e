/** A ring that grows and shrinks, beside a plain list. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Fifo } from '../../src/runtime/fifo.ts';

it('gives back what was put in, in order, through bursts of any length', () => {
  const bursts = fc.array(fc.tuple(fc.nat(70), fc.nat(80)), { maxLength: 12 });
  fc.assert(
    fc.property(bursts, (steps) => {
      const fifo = new Fifo<number>();
      const list: number[] = [];
      let last = 0;
      for (const [pushCount, shiftCount] of steps) {
        for (let count = 0; count < pushCount; count++) {
          list.push(++last);
          fifo.push(last);
        }
        for (let count = 0; count < shiftCount; count++) expect(fifo.shift()).toBe(list.shift());
        expect(fifo.size).toBe(list.length);
      }
    }),
  );
});

import { describe, expect, it } from 'vitest';
import { checkOnRead } from '../../src/remote/checked-signal.ts';

describe('a signal that is checked on each read', () => {
  it('is up to date at the first read, also where abort reads the signal itself', () => {
    const controller = new AbortController();
    const { signal } = controller;
    let checkCount = 0;
    checkOnRead(signal, () => {
      checkCount++;
      // As Deno's abort does, before the signal is aborted.
      expect(signal.aborted).toBe(false);
      controller.abort('lost');
    });
    expect(signal.aborted).toBe(true);
    expect(checkCount).toBe(1);
  });

  it('is checked again at the next read, also if a check has thrown', () => {
    const { signal } = new AbortController();
    let checkCount = 0;
    checkOnRead(signal, () => {
      checkCount++;
      if (checkCount === 1) throw new Error('not yet');
    });
    expect(() => signal.aborted).toThrow('not yet');
    expect(signal.reason).toBe(undefined);
    signal.throwIfAborted();
    expect(checkCount).toBe(3);
  });
});

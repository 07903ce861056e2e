import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { AbortListeners } from '../../src/runtime/abort-listeners.ts';

it('waiters with one signal share one listener, which is removed after the last', async () => {
  const listeners = new AbortListeners<string>(() => undefined);
  const { signal } = new AbortController();
  listeners.add(signal, 'first');
  listeners.add(signal, 'second');
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  listeners.remove(signal, 'first');
  listeners.remove(signal, 'second');
  // Not within the call of remove, which may stand within an operation.
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  await Promise.resolve();
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
});

it('a waiter that the end of another one removes is not ended', () => {
  const ended: string[] = [];
  const listeners = new AbortListeners<string>((waiting) => {
    for (const each of waiting) {
      ended.push(each);
      listeners.remove(controller.signal, 'second');
    }
  });
  const controller = new AbortController();
  for (const each of ['first', 'second', 'third']) listeners.add(controller.signal, each);
  controller.abort();
  expect(ended).toEqual(['first', 'third']);
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
});

it('a signal that aborts while its listener is added takes no waiter', async () => {
  const ended: string[] = [];
  const listeners = new AbortListeners<string>((waiting) => void ended.push(...waiting));
  const controller = new AbortController();
  const { signal } = controller;
  const listen = signal.addEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof listen>) => {
    listen(...args);
    controller.abort();
  };
  expect(listeners.add(signal, 'late')).toBe(false);
  expect(listeners.add(signal, 'later')).toBe(false);
  expect(ended).toEqual([]);
  await Promise.resolve();
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
});

/** Tasks of the event loop, in runtimes of several kinds. */

import { describe, expect, it } from 'vitest';
import { createTaskQueue } from '../../src/recipes/web-locks/event-loop-task.ts';

const { setImmediate, setTimeout, MessageChannel } = globalThis;

describe.each([
  ['setImmediate', { setImmediate, setTimeout }],
  ['messages', { MessageChannel, setTimeout }],
  ['time-outs', { setTimeout }],
])('where the platform has %s', (_name, platform) => {
  it('tasks run in order, each when the microtasks before it are through', async () => {
    const queueTask = createTaskQueue(platform);
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      queueTask(() => {
        order.push('first');
        void Promise.resolve()
          .then(() => {})
          .then(() => order.push('its microtasks'));
      });
      queueTask(() => order.push('second'));
      queueTask(resolve);
      order.push('before');
      void Promise.resolve().then(() => order.push('microtask before'));
    });
    expect(order).toEqual(['before', 'microtask before', 'first', 'its microtasks', 'second']);
  });
});

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

describe('where the platform has setImmediate', () => {
  /** Tasks that lead to one another: each queues the next from a promise. */
  const chain = (queueTask: (task: () => void) => void, count: number, each: () => void) =>
    new Promise<void>((resolve) => {
      const queueNext = (left: number): void => {
        queueTask(() => {
          each();
          if (left === 1) resolve();
          else void Promise.resolve().then(() => queueNext(left - 1));
        });
      };
      queueNext(count);
    });

  it('a task that leads to another is followed by its ticks and microtasks first', async () => {
    const queueTask = createTaskQueue({ setImmediate, setTimeout });
    // Long enough for immediates to be set ahead.
    await chain(queueTask, 100, () => {});
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      queueTask(() => {
        queueTask(() => {
          order.push('second');
          resolve();
        });
        void (async () => {
          for (let count = 0; count < 50; count++) {
            await null;
            await new Promise<void>((ticked) => process.nextTick(ticked));
          }
          order.push('what follows the first');
        })();
      });
    });
    expect(order).toEqual(['what follows the first', 'second']);
  });

  it('tasks that lead to one another share turns of the event loop, 64 a turn', async () => {
    const queueTask = createTaskQueue({ setImmediate, setTimeout });
    let inTurn = 0;
    const turns: number[] = [];
    let isOver = false;
    const countTurn = (): void => {
      turns.push(inTurn);
      inTurn = 0;
      if (!isOver) setImmediate(countTurn);
    };
    setImmediate(countTurn);
    await chain(queueTask, 2000, () => {
      inTurn++;
    });
    isOver = true;
    expect(Math.max(...turns, inTurn)).toBe(64);
    expect(turns.length).toBeLessThan(2000 / 64 + 16);
  });

  it('no more immediates are set than twice the tasks, if these lead to nothing', async () => {
    let count = 0;
    const counted = (task: () => void): unknown => {
      count++;
      return setImmediate(task);
    };
    const queueTask = createTaskQueue({ setImmediate: counted, setTimeout });
    for (let task = 0; task < 50; task++) {
      await new Promise<void>((resolve) => queueTask(resolve));
      // Two turns of the event loop later.
      for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(count).toBeLessThanOrEqual(100);
    count = 0;
    await Promise.all(
      Array.from({ length: 200 }, () => new Promise<void>((resolve) => queueTask(resolve))),
    );
    expect(count).toBeLessThanOrEqual(200 + 2);
  });
});

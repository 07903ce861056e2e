/** How long a call may go without an answer, on a clock that the test moves. */

import { expect, it } from 'vitest';
import type { RedisConnection, RedisReply } from '../../src/backends/redis/connection.ts';
import { Scripts } from '../../src/backends/redis/scripts.ts';
import type { Clock } from '../../src/runtime/clock.ts';

const limitMs = 1000;

class MovedClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<{ readonly atMs: number; readonly run: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }

  epochMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Runs what is due, in order, and lets promises go on between. */
  async move(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    for (;;) {
      const due = [...this.#timers].filter(({ atMs }) => atMs <= untilMs);
      const [first] = due.sort((a, b) => a.atMs - b.atMs);
      this.#nowMs = Math.max(this.#nowMs, first?.atMs ?? untilMs);
      if (first === undefined) break;
      this.#timers.delete(first);
      first.run();
      await settled();
    }
    await settled();
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}

/** Calls whose answers the test gives. */
function scripted(): { scripts: Scripts; clock: MovedClock; answers: ((reply: string) => void)[] } {
  const clock = new MovedClock();
  const answers: ((reply: string) => void)[] = [];
  const send = (): Promise<RedisReply> => new Promise((resolve) => answers.push(resolve));
  const connection = { send } as unknown as RedisConnection;
  return { scripts: new Scripts(connection, clock, 'root', limitMs), clock, answers };
}

const outcome = (call: Promise<unknown>): Promise<unknown> => call.catch((error) => error.code);

it('a call behind many others has its time from the last answer on', async () => {
  const { scripts, clock, answers } = scripted();
  const calls = Array.from({ length: 10 }, () => outcome(scripts.send('PING')));
  for (const answer of answers) {
    await clock.move(limitMs * 0.9);
    answer('PONG');
    await settled();
  }
  expect(await Promise.all(calls)).toEqual(calls.map(() => 'PONG'));
});

it('all calls are refused when nothing is answered for as long as the limit', async () => {
  const { scripts, clock, answers } = scripted();
  const calls = Array.from({ length: 3 }, () => outcome(scripts.send('PING')));
  await clock.move(limitMs * 0.9);
  answers[0]?.('PONG');
  await settled();
  await clock.move(limitMs * 1.1);
  const refused = 'KDS_UNAVAILABLE';
  expect(await Promise.all(calls)).toEqual(['PONG', refused, refused]);
});

it('a call is refused although later ones are answered', async () => {
  const { scripts, clock, answers } = scripted();
  const first = outcome(scripts.send('PING'));
  for (let count = 1; count < 5; count++) {
    const later = outcome(scripts.send('PING'));
    await clock.move(limitMs * 0.3);
    answers[count]?.('PONG');
    expect(await later).toBe('PONG');
  }
  expect(await first).toBe('KDS_UNAVAILABLE');
});

it('an answer that came while the event loop was blocked counts', async () => {
  const { scripts, clock, answers } = scripted();
  const call = outcome(scripts.send('PING'));
  // The timer fires first, then the answer is read.
  await clock.move(limitMs + 1);
  answers[0]?.('PONG');
  expect(await call).toBe('PONG');
});

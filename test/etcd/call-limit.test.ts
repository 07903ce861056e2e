/** Time that a member has for an answer, on a clock that the test moves. */

import { describe, expect, it } from 'vitest';
import {
  type AnswerEvents,
  EtcdConnection,
  type Member,
} from '../../src/backends/etcd/connection.ts';
import { MovedClock } from '../runtime/moved-clock.ts';

const limitMs = 1000;
const attemptMs = 2500;

/** A member whose answers the test gives, by the path of the call. */
class ManualMember implements Member {
  readonly name = 'member';
  readonly answers = new Map<string, AnswerEvents>();

  post({ path }: { readonly path: string }, events: AnswerEvents): () => void {
    this.answers.set(path, events);
    events.onConnected();
    return () => undefined;
  }

  close(): void {}
}

/** All that follows from what has been done. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe('a call that takes long', () => {
  const clock = new MovedClock();
  const member = new ManualMember();
  const connection = new EtcdConnection({ members: [member], attemptMs, clock, random: () => 0 });

  /** The code of its error, if it is refused. */
  async function read(): Promise<unknown> {
    const options = { attemptMs: limitMs, fromLastAnswer: true };
    return connection.call('/read', {}, limitMs, options).then(
      () => 'answered',
      (error) => error.code,
    );
  }

  async function answer(path: string): Promise<void> {
    member.answers.get(path)?.onText('{}');
    member.answers.get(path)?.onEnd();
    await settled();
  }

  async function move(byMs: number): Promise<void> {
    clock.move(byMs);
    await settled();
  }

  it('has its time from the last answer of its member on', async () => {
    const long = read();
    await settled();
    for (let count = 0; count < 2; count++) {
      const other = connection.call('/other', {}, attemptMs);
      await move(limitMs * 0.9);
      await answer('/other');
      await other;
    }
    await move(limitMs * 0.9);
    await answer('/read');
    expect(await long).toBe('answered');
  });

  it('has its time from the last part of its own answer on', async () => {
    const long = read();
    await settled();
    for (let count = 0; count < 5; count++) {
      await move(limitMs * 0.9);
      member.answers.get('/read')?.onText(' ');
    }
    await answer('/read');
    expect(await long).toBe('answered');
  });

  it('is refused when its member has not answered anything for as long as its limit', async () => {
    const long = read();
    await settled();
    const other = connection.call('/other', {}, attemptMs);
    await move(limitMs * 0.9);
    await answer('/other');
    await other;
    await move(limitMs * 1.1);
    // A pause after the attempt, and the end.
    await move(limitMs);
    expect(await long).toBe('KDS_UNAVAILABLE');
  });

  it('is refused at last although others are answered: its request may be lost', async () => {
    const long = read();
    await settled();
    let outcome: unknown;
    void long.then((code) => {
      outcome = code;
    });
    for (let count = 0; count < 5; count++) {
      const other = connection.call('/other', {}, attemptMs);
      await move(limitMs * 0.9);
      await answer('/other');
      await other;
    }
    expect(outcome).toBe('KDS_UNAVAILABLE');
  });

  it('is answered although its timer fires first, as the event loop was blocked', async () => {
    const long = read();
    await settled();
    await move(limitMs + 1);
    await answer('/read');
    expect(await long).toBe('answered');
  });

  it('of the other kind has its time from its sending on', async () => {
    let attemptCount = 0;
    const onSend = (): void => void attemptCount++;
    const short = connection.call('/short', {}, 3 * limitMs, { attemptMs: limitMs, onSend });
    await settled();
    const other = connection.call('/other', {}, attemptMs);
    await move(limitMs * 0.9);
    await answer('/other');
    await other;
    await move(limitMs * 0.2);
    await move(limitMs * 0.2);
    expect(attemptCount).toBe(2);
    await answer('/short');
    await short;
  });
});

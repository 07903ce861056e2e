/** Nested runs: what a grant covers, requested once more within it. */

import type { Grant } from '../src/api/grant.ts';
import type { SetSpec } from '../src/api/sets.ts';
import {
  check,
  equal,
  fails,
  failureOf,
  isError,
  mentions,
  reasonOf,
  within,
} from './assertions.ts';
import type { Suite } from './suite.ts';

const a = { exclusive: 'a' };
const nothing = () => undefined;

export function testNested({ group, needing }: Suite): void {
  group('nested runs of a grant', () => {
    const test = needing('nested');

    test('of one resource run one at a time, in the order of their calls', async (w) => {
      const { grant } = await w.take('outer', { exclusive: ['a', 'b'] });
      const log: string[] = [];
      const step = (name: string) => async () => {
        log.push(`${name} begins`);
        await w.domain.query();
        log.push(`${name} ends`);
        return name;
      };
      const runs = ['1', '2', '3'].map((name) => grant.run(a, step(name)));
      equal(await within(Promise.all(runs), 'the runs'), ['1', '2', '3'], 'the results');
      const expected = ['1', '2', '3'].flatMap((name) => [`${name} begins`, `${name} ends`]);
      equal(log, expected, 'what ran when');
    });

    test('that share run together, and an exclusive one waits for them', async (w) => {
      const { grant } = await w.take('outer', a);
      const open = gate();
      const log: string[] = [];
      const readers = ['1', '2'].map((name) =>
        grant.run({ shared: 'a' }, () => {
          log.push(name);
          return open.promise;
        }),
      );
      const writer = grant.run(a, () => log.push('writer'));
      await w.domain.query();
      equal(log, ['1', '2'], 'what runs');
      open.resolve();
      await within(Promise.all([...readers, writer]), 'the runs');
      equal(log, ['1', '2', 'writer'], 'what ran');
    });

    test('may be nested again, and have the token of the grant around them', async (w) => {
      const { grant } = await w.take('outer', { exclusive: 'a', shared: 'b' });
      const set: SetSpec = { exclusive: 'a', shared: 'b' };
      const tokens = await grant.run(set, (inner) =>
        inner.run(set, (innermost) => [inner.token, innermost.token]),
      );
      equal(tokens, [grant.token, grant.token], 'the tokens');
    });

    test('leave the domain alone: it has one held set', async (w) => {
      const { grant } = await w.take('outer', a);
      await grant.run(a, async () => {
        await w.see({ held: ['outer'] });
        equal(await w.domain.tryAcquire({ shared: 'a' }), null, 'a try outside');
      });
      await w.see({ held: ['outer'] });
    });

    test('name handles and prepared sets of the domain', async (w) => {
      const frame = w.domain.resource();
      const named = w.domain.resource('a');
      const set = w.domain.prepare({ exclusive: frame, shared: named });
      const grant = await w.domain.acquire({ exclusive: [frame, 'a'] });
      const value = await grant.run(set, async (inner) => {
        check(inner.covers(set) && inner.covers({ exclusive: frame }), 'it covers its set');
        check(!inner.covers({ exclusive: 'a' }), 'it covers more than its set');
        return inner.run({ exclusive: frame }, () => 'innermost');
      });
      equal(value, 'innermost', 'the result');
      await grant.release();
      await frame.close();
    });

    test('of what the grant does not cover are refused, with what it lacks', async (w) => {
      const { grant } = await w.take('outer', { exclusive: 'a', shared: 'b' });
      let count = 0;
      const fn = () => {
        count++;
      };
      const more = { exclusive: ['a', 'b'], shared: 'c' };
      const error = await fails(() => grant.run(more, fn), 'KDS_INVALID_SET');
      mentions(error, 'exclusive "b"', 'shared "c"', String(grant.token));
      check(!error.message.includes('"a"'), `"${error.message}" names a`);
      for (const wrong of [null, { exclusve: 'a' }, { exclusive: undefined }]) {
        await fails(() => grant.run(wrong as unknown as SetSpec, fn), 'KDS_INVALID_SET');
      }
      await fails(() => grant.run(a, undefined as unknown as () => void), 'TypeError');
      equal(count, 0, 'how often the function ran');
      equal(await grant.run({}, () => 'empty'), 'empty', 'the result of an empty set');
    });

    test('take the options of a request', async (w) => {
      const { grant } = await w.take('outer', a);
      await grant.run(a, async () => {
        await fails(() => grant.run(a, { timeoutMs: 0 }, nothing), 'KDS_WAIT_TIMEOUT');
        await fails(() => grant.run(a, { timeoutMs: 5 }, nothing), 'KDS_WAIT_TIMEOUT');
        const options = { signal: AbortSignal.abort('no') };
        equal(await failureOf(() => grant.run(a, options, nothing)), 'no', 'the reason');
      });
      const error = new Error('on purpose');
      const throws = () => {
        throw error;
      };
      check((await failureOf(() => grant.run(a, throws))) === error, 'another error');
      equal(await grant.run(a, () => 'next'), 'next', 'the next result');
    });

    const ends: readonly (readonly [string, (grant: Grant) => unknown])[] = [
      ['is released', (grant) => grant.release()],
      ['is abandoned', (grant) => grant.abandon(new Error('half done'))],
    ];
    for (const [how, end] of ends) {
      test(`end when the grant around them ${how}`, async (w) => {
        await seeEnd(await w.domain.acquire(a), end);
      });
    }

    test('end with the session of the grant around them', async (w) => {
      const session = w.domain.session();
      await seeEnd(await session.acquire(a), () => session.close());
    });

    needing('nested', 'steal')('end when the grant around them is revoked', async (w) => {
      await seeEnd(await w.domain.acquire(a), async (grant) => {
        const operator = await w.take('operator', a, { steal: true });
        await reasonOf(grant.signal, 'the revoked grant');
        await operator.release();
      });
    });

    const weakening = needing('nested', 'downgrade', 'part-release');
    weakening('end with the part that they use, and by no other change', async (w) => {
      const grant = await w.domain.acquire({ exclusive: ['a', 'b', 'c'] });
      const of = (set: SetSpec) => nest(grant, set);
      const [exclusive, shared, other] = [of(a), of({ shared: 'b' }), of({ exclusive: 'c' })];
      await w.domain.query();
      await grant.downgrade(['a', 'b']);
      await seeLost(exclusive);
      await fails(() => grant.run(a, nothing), 'KDS_INVALID_SET');
      await grant.run({ shared: 'a' }, nothing);
      await grant.release('b');
      await seeLost(shared);
      other.leave();
      equal(await within(other.running, 'the other run'), 'value', 'the result');
      await grant.release();
    });
  });
}

/** A nested run that goes on until it is let go, and one that waits for it. */
function nest(outer: Grant, set: SetSpec) {
  const { promise, resolve: leave } = gate();
  let inner: Grant | undefined;
  let count = 0;
  const running = outer.run(set, async (grant) => {
    inner = grant;
    await promise;
    return 'value';
  });
  const waiting = outer.run(set, async () => {
    await promise;
    return ++count;
  });
  for (const each of [running, waiting]) each.catch(nothing);
  return { running, waiting, leave, inner: () => inner as Grant, count: () => count };
}

type Nested = ReturnType<typeof nest>;

async function seeEnd(outer: Grant, end: (outer: Grant) => unknown): Promise<void> {
  const nested = nest(outer, a);
  await within(outer.run({}, nothing), 'an empty nested run');
  await end(outer);
  await seeLost(nested);
  equal(nested.count(), 0, 'how often the waiting function ran');
  await fails(() => outer.run(a, nothing), 'KDS_GRANT_LOST', 'a run afterwards');
}

async function seeLost({ running, waiting, leave, inner }: Nested): Promise<void> {
  isError(await reasonOf(inner().signal, 'the nested grant'), 'KDS_GRANT_LOST');
  check(!inner().isHeld, 'the nested grant is held');
  leave();
  await fails(() => running, 'KDS_GRANT_LOST', 'what ran');
  await fails(() => waiting, 'KDS_GRANT_LOST', 'what waited');
}

/** A promise, and what resolves it. */
function gate(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = nothing;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

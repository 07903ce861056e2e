/** Many sets end at one moment: by the end of their session or domain, or by one signal. */

import type { Domain } from '../src/api/domain.ts';
import type { Grant } from '../src/api/grant.ts';
import type { Ask } from './ask.ts';
import { check, equal } from './assertions.ts';
import type { Suite } from './suite.ts';
import type { World } from './world.ts';

/** Sessions within one another: more than a stack has frames for. */
const sessionDepthDefault = 20_000;

export function testEnding({ group, test, needing }: Suite): void {
  group('many sets that end at one moment', () => {
    test('a closed session: first the earlier waiter, though its resource is held', async (w) => {
      const session = w.domain.session();
      await w.take('holder', { exclusive: 'a' }, {}, session);
      await w.ask('own', { exclusive: ['c', 'a'] }, {}, session);
      const asks = await askEach(w, ['a', 'c']);
      await session.close();
      await grantedInOrder(w, asks);
    });

    test('a closed session: in arrival order, whichever of its grants came first', async (w) => {
      const session = w.domain.session();
      for (const name of ['c', 'b', 'a']) await w.take(name, { exclusive: name }, {}, session);
      const asks = await askEach(w, ['a', 'b', 'c']);
      await session.close();
      await grantedInOrder(w, asks);
    });

    test('a closed session: in arrival order, whichever of its requests came first', async (w) => {
      const session = w.domain.session();
      await w.take('reader', { shared: ['a', 'b', 'c'] });
      const own = ['c', 'a', 'b'].map((name) =>
        w.ask(`own ${name}`, { exclusive: name }, {}, session),
      );
      await Promise.all(own);
      const asks = [];
      for (const name of ['a', 'b', 'c'])
        asks.push(await w.ask(`shared ${name}`, { shared: name }));
      await session.close();
      await grantedInOrder(w, asks);
    });

    test('a closed session: in arrival order, with sessions within it', async (w) => {
      const session = w.domain.session();
      const inner = session.session();
      await w.take('inner', { exclusive: 'b' }, {}, inner.session());
      await w.take('outer', { exclusive: 'c' }, {}, session);
      await w.take('last', { exclusive: 'a' }, {}, inner);
      const asks = await askEach(w, ['a', 'b', 'c']);
      await session.close();
      await grantedInOrder(w, asks);
    });

    test('a closed session: a waiter for two of its grants comes in its turn', async (w) => {
      const session = w.domain.session();
      await w.take('first', { exclusive: 'b' }, {}, session);
      await w.take('second', { exclusive: 'a' }, {}, session);
      const both = await w.ask('both', { exclusive: ['a', 'b'] });
      const asks = await askEach(w, ['c']);
      await w.ask('behind', { exclusive: 'b' });
      await session.close();
      equal(await tokensOf([...asks, both]), 'growing', 'tokens');
      await w.see({ held: ['waits for c', 'both'], pending: ['behind'] });
    });

    const direct = needing('direct');
    direct('a closed session: direct callbacks start in arrival order', async (w) => {
      const session = w.domain.session();
      await w.take('holder', { exclusive: 'a' }, {}, session);
      await w.ask('own', { exclusive: ['c', 'a'] }, {}, session);
      await w.enqueue('waits for a', { exclusive: 'a' }, { delivery: 'direct' });
      await w.enqueue('waits for c', { exclusive: 'c' }, { delivery: 'direct' });
      const closing = session.close();
      equal(
        w.reported,
        ['holder', 'waits for a', 'waits for c'],
        'reported before close() returns',
      );
      await closing;
    });

    test('a closed session: however deep the sessions within it are, all end', async (w) => {
      const session = w.domain.session();
      let innermost: Domain = session;
      const { sessionDepth = sessionDepthDefault } = w.backend;
      for (let depth = 1; depth < sessionDepth; depth++) innermost = innermost.session();
      const { grant } = await w.take('holder', { exclusive: 'a' }, {}, innermost);
      const { signal } = grant;
      await session.close();
      check(signal.aborted, 'the loss of the innermost grant is not reported');
      await w.free('a');
    });

    test('one signal: in arrival order, whichever of its requests came first', async (w) => {
      const controller = new AbortController();
      const { signal } = controller;
      await w.take('reader', { shared: ['a', 'b', 'c'] });
      const own = ['c', 'a', 'b'].map((name) => {
        return w.ask(`own ${name}`, { exclusive: name }, { signal });
      });
      await Promise.all(own);
      const asks = [];
      for (const name of ['a', 'b', 'c'])
        asks.push(await w.ask(`shared ${name}`, { shared: name }));
      controller.abort();
      await grantedInOrder(w, asks);
    });

    const connect = needing('connect');
    connect('a closed domain: in arrival order, for other clients too', async (w) => {
      const other = await w.connect();
      const session = other.session();
      await w.take('c', { exclusive: 'c' }, {}, other);
      await w.take('b', { exclusive: 'b' }, {}, session);
      await w.take('a', { exclusive: 'a' }, {}, other);
      await w.ask('own', { exclusive: ['d', 'a'] }, {}, session);
      const asks = await askEach(w, ['a', 'b', 'c', 'd']);
      await other.close();
      await grantedInOrder(w, asks);
    });
  });
}

/** A waiter for each resource, exclusive; they have arrived in this order. */
async function askEach(w: World, names: readonly string[]): Promise<readonly Ask[]> {
  const asks: Ask[] = [];
  for (const name of names) asks.push(await w.ask(`waits for ${name}`, { exclusive: name }));
  return asks;
}

/** Checks that they are granted, with growing tokens, and were reported in this order (I6). */
async function grantedInOrder(w: World, asks: readonly Ask[]): Promise<void> {
  equal(await tokensOf(asks), 'growing', 'tokens');
  const labels = asks.map(({ label }) => label);
  const reported = w.reported.filter((label) => labels.includes(label));
  equal(reported, labels, 'reported');
}

/** 'growing', or the tokens. */
async function tokensOf(asks: readonly Ask[]): Promise<string | readonly number[]> {
  const grants: Grant[] = [];
  for (const ask of asks) grants.push(await ask.granted());
  const tokens = grants.map(({ token }) => token);
  const isGrowing = tokens.every((token, at) => at === 0 || token > (tokens[at - 1] as number));
  return isGrowing ? 'growing' : tokens;
}

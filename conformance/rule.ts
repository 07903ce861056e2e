/** The rule: a set is granted exactly when no live set that arrived earlier conflicts with it. */

import { check, equal } from './assertions.ts';
import type { Suite } from './suite.ts';
import type { World } from './world.ts';

export function testRule({ group, test, needing }: Suite): void {
  group('the rule', () => {
    test('an exclusive holder keeps everybody else out', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a' });
      const other = await w.participant();
      const writer = await w.ask('writer', { exclusive: 'a' }, {}, other);
      const reader = await w.ask('reader', { shared: 'a' });
      await w.see({ held: ['holder'], pending: ['writer', 'reader'] });
      await holder.release();
      await w.see({ held: ['writer'], pending: ['reader'] });
      await writer.release();
      await w.see({ held: ['reader'] });
      await reader.release();
    });

    test('shared holders are there together, and a writer waits for the last', async (w) => {
      const other = await w.participant();
      const one = await w.take('one', { shared: 'a' });
      const two = await w.take('two', { shared: 'a' }, {}, other);
      await w.ask('writer', { exclusive: 'a' });
      await one.release();
      await w.see({ held: ['two'], pending: ['writer'] });
      await two.release();
      await w.see({ held: ['writer'] });
    });

    test('a reader that comes after a waiting writer waits behind it', async (w) => {
      const first = await w.take('first', { shared: 'a' });
      const writer = await w.ask('writer', { exclusive: 'a' }, {}, await w.participant());
      await w.ask('late', { shared: 'a' });
      await w.see({ held: ['first'], pending: ['writer', 'late'] });
      await first.release();
      await w.see({ held: ['writer'], pending: ['late'] });
      await writer.release();
      await w.see({ held: ['late'] });
    });

    test('a try does not barge past those who wait', async (w) => {
      await w.take('reader', { shared: 'a' });
      await w.ask('writer', { exclusive: ['a', 'b'] });
      equal(await w.domain.tryAcquire({ shared: 'a' }), null, 'a try where a writer waits');
      equal(await w.domain.tryAcquire({ shared: 'b' }), null, 'a try of what is free but due');
      await w.see({ held: ['reader'], pending: ['writer'] });
    });

    test('a try takes what it can have at once, or leaves no trace', async (w) => {
      const grant = await w.domain.tryAcquire({ exclusive: 'a', shared: 'b' }, { label: 'first' });
      check(grant !== null, 'a try of what is free comes to nothing');
      await w.see({ held: ['first'] });
      equal(await w.domain.tryAcquire({ shared: ['b', 'a'] }), null, 'a try of what is held');
      const reader = await w.domain.tryAcquire({ shared: 'b' }, { label: 'reader' });
      await w.see({ held: ['first', 'reader'] });
      await grant.release();
      await reader?.release();
    });

    test('all of a set is granted at one moment, or nothing', async (w) => {
      const a = await w.take('a', { exclusive: 'a' });
      const b = await w.take('b', { exclusive: 'b' });
      await w.ask('both', { exclusive: ['a', 'b', 'c'] });
      await a.release();
      await w.see({ held: ['b'], pending: ['both'] });
      await b.release();
      await w.see({ held: ['both'] });
    });

    test('a waiting set keeps its queue position, and later ones that conflict wait', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a' });
      const big = await w.ask('big', { exclusive: ['a', 'b'], shared: 'c' });
      const small = await w.ask('small', { exclusive: 'b' });
      await w.take('sharer', { shared: 'c' });
      await w.take('outsider', { exclusive: 'd' });
      await w.see({ held: ['holder', 'sharer', 'outsider'], pending: ['big', 'small'] });
      await holder.release();
      await w.see({ held: ['sharer', 'outsider', 'big'], pending: ['small'] });
      await big.release();
      await small.granted();
    });

    test('sets that overlap in a chain are granted first come, first served', async (w) => {
      const one = await w.take('one', { exclusive: ['a', 'b'] });
      const two = await w.ask('two', { exclusive: ['b', 'c'] });
      await w.ask('three', { exclusive: ['c', 'd'] });
      await w.see({ held: ['one'], pending: ['two', 'three'] });
      await one.release();
      await w.see({ held: ['two'], pending: ['three'] });
      await two.release();
      await w.see({ held: ['three'] });
    });

    test('sets named in opposite orders do not deadlock', async (w) => {
      const there = await w.take('there', { exclusive: ['a', 'x', 'b'] });
      await w.ask('back', { exclusive: ['b', 'x', 'a'] }, {}, await w.participant());
      await there.release();
      await w.see({ held: ['back'] });
    });

    test('sets granted together are reported in arrival order, with growing tokens', async (w) => {
      const labels = ['r1', 'r2', 'r3', 'r4', 'r5'];
      const writer = await w.take('writer', { exclusive: ['a', 'b'] });
      for (const [index, label] of labels.entries()) {
        await w.ask(label, { shared: index % 2 === 0 ? ['b', 'a'] : 'a' });
      }
      await writer.release();
      await w.see({ held: labels });
      equal(w.reported, ['writer', ...labels], 'the order of reports');
    });

    test('one release grants sets on many resources in arrival order', async (w) => {
      const labels = ['one', 'two', 'three'];
      const holder = await w.take('holder', { exclusive: ['a', 'b', 'c'] });
      for (const [index, label] of labels.entries()) {
        await w.ask(label, { exclusive: ['c', 'b', 'a'][index] as string });
      }
      await holder.release();
      await w.see({ held: labels });
      equal(w.reported, ['holder', ...labels], 'the order of reports');
    });

    test('a big set gets its turn although small ones keep coming', async (w) => {
      let last = [await w.take('a0', { exclusive: 'a' }), await w.take('b0', { exclusive: 'b' })];
      const big = await w.ask('big', { exclusive: ['a', 'b'] });
      for (let round = 1; round <= 5; round++) {
        const next = [
          await w.ask(`a${round}`, { exclusive: 'a' }),
          await w.ask(`b${round}`, { exclusive: 'b' }),
        ];
        for (const ask of last) await ask.end();
        last = next;
        if (round === 1) await big.granted();
        equal(big.state, 'granted', 'the big set');
      }
      await big.release();
    });

    test('of many sets over few resources no two that conflict run at once', crowd);

    const connected = needing('connect');
    connected('clients of one state exclude each other, and tokens grow over all', async (w) => {
      const other = await w.connect();
      const mine = await w.take('mine', { exclusive: 'a' });
      const theirs = await w.ask('theirs', { exclusive: 'a' }, {}, other);
      await w.see({ held: ['mine'], pending: ['theirs'] });
      await mine.release();
      await theirs.granted();
      check(theirs.grant.token > mine.grant.token, 'a token does not grow from client to client');
    });

    connected('the close of a client ends what went through it and nothing else', async (w) => {
      const other = await w.connect();
      const theirs = await w.take('theirs', { exclusive: 'a' }, {}, other);
      const waiting = await w.ask('waiting', { exclusive: ['a', 'b'] }, {}, other);
      await w.ask('mine', { exclusive: 'b', shared: 'a' });
      await w.see({ held: ['theirs'], pending: ['waiting', 'mine'] });
      await other.close();
      await waiting.refused('KDS_DOMAIN_CLOSED');
      await w.see({ held: ['mine'] });
      check(theirs.grant.signal.aborted, 'the loss of a closed client is not reported');
    });
  });

  group('links that are removed', () => {
    test('a cancelled writer lets the readers behind it through', async (w) => {
      await w.take('first', { shared: 'a' });
      const writer = await w.ask('writer', { exclusive: 'a' });
      await w.ask('r1', { shared: 'a' });
      await w.ask('r2', { shared: ['a', 'b'] });
      await writer.cancel();
      await w.see({ held: ['first', 'r1', 'r2'] });
    });

    test('a cancelled set leaves all of its queues', async (w) => {
      await w.take('holder', { exclusive: 'a' });
      const set = await w.ask('set', { exclusive: ['a', 'b', 'c'] });
      await w.ask('b', { exclusive: 'b' });
      await w.ask('c', { shared: 'c' });
      await w.ask('a', { exclusive: 'a' });
      await set.cancel();
      await w.see({ held: ['holder', 'b', 'c'], pending: ['a'] });
    });

    test('a reader in the middle that leaves does not let the writer in early', async (w) => {
      const readers = [];
      for (const label of ['r1', 'r2', 'r3']) readers.push(await w.take(label, { shared: 'a' }));
      const [first, middle, last] = readers;
      await w.ask('writer', { exclusive: 'a' });
      await middle?.release();
      await w.see({ held: ['r1', 'r3'], pending: ['writer'] });
      await last?.release();
      await w.see({ held: ['r1'], pending: ['writer'] });
      await first?.release();
      await w.see({ held: ['writer'] });
    });

    test('a cancelled set in the middle of a queue moves nobody ahead of his turn', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a' });
      const middle = await w.ask('middle', { shared: 'a' });
      const next = await w.ask('next', { exclusive: 'a' });
      await w.ask('last', { shared: 'a' });
      await middle.cancel();
      await w.see({ held: ['holder'], pending: ['next', 'last'] });
      await holder.release();
      await w.see({ held: ['next'], pending: ['last'] });
      await next.release();
      await w.see({ held: ['last'] });
    });

    test('the last in a queue leaves, and the queue goes on', async (w) => {
      const holder = await w.take('holder', { exclusive: 'a' });
      const last = await w.ask('last', { exclusive: 'a' });
      await last.cancel();
      await w.ask('next', { exclusive: 'a' });
      await holder.release();
      await w.see({ held: ['next'] });
    });
  });
}

/** Holders record their sections, and each new holder checks the records. */
async function crowd(w: World): Promise<void> {
  const parties = [w.domain, await w.participant(), await w.participant()];
  const inside = new Map<string, number>();
  const move = (names: readonly string[], by: number) => {
    for (const name of names) inside.set(name, (inside.get(name) ?? 0) + by);
  };
  const visits = Array.from({ length: 60 }, async (_, index) => {
    const exclusive = [`r${index % 5}`, `r${(index * 3 + 1) % 5}`];
    const shared = [`r${(index * 2 + 2) % 5}`].filter((name) => !exclusive.includes(name));
    const party = parties[index % parties.length] ?? w.domain;
    await party.run({ exclusive, shared }, async () => {
      const names = [...new Set(exclusive)];
      const owners = names.map((name) => inside.get(name) ?? 0);
      check(
        owners.every((count) => count === 0),
        `somebody else is in ${names}: ${owners}`,
      );
      check((inside.get(shared[0] ?? '') ?? 0) >= 0, `an exclusive holder is in ${shared}`);
      move(names, -1000);
      move(shared, 1);
      await party.query();
      move(names, 1000);
      move(shared, -1);
    });
  });
  await Promise.all(visits);
  equal(
    [...inside.values()],
    [...inside.values()].map(() => 0),
    'those inside when all are gone',
  );
}

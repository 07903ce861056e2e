/**
 * Places of agents that are joining: in a browser, until their threads show that they live
 * (docs/threads.md). Nobody can tell whether such a thread has ended, so its place is given to
 * others when there is none besides.
 */

import { createArena, openThreadsDomain } from 'kds/threads';
import { expect, it } from 'vitest';
import { endJoining, generationOf, register, withdraw } from '../../src/backends/threads/agents.ts';
import { controlOf } from '../../src/backends/threads/arena.ts';
import * as C from '../../src/backends/threads/control.ts';
import { findArenaFaults } from './faults/soundness.ts';

function joinIn(control: Int32Array) {
  const agent = register(control, C.JOINING);
  return { agent, generation: generationOf(control, agent) };
}

it('an agent that has joined keeps its slot although all are taken', async () => {
  const arena = createArena({ agentsMax: 2 });
  const control = controlOf(arena);
  const { agent, generation } = joinIn(control);
  expect(endJoining(control, agent, generation, C.LIVE)).toBe(true);
  const domain = openThreadsDomain(arena);
  expect(() => openThreadsDomain(arena)).toThrow(expect.objectContaining({ code: 'KDS_LIMIT' }));
  await domain.close();
});

it('an agent that is joining loses its slot to another as all are taken', async () => {
  const arena = createArena({ agentsMax: 2 });
  const control = controlOf(arena);
  const { agent, generation } = joinIn(control);
  const first = openThreadsDomain(arena);
  const second = openThreadsDomain(arena);
  expect([first.agent, second.agent]).toEqual([1, agent]);
  // Neither its sign of life nor its end does anything to the newcomer.
  expect(endJoining(control, agent, generation, C.LIVE)).toBe(false);
  withdraw(control, agent, generation);
  expect(() => openThreadsDomain(arena)).toThrow(expect.objectContaining({ code: 'KDS_LIMIT' }));
  second.acquireSync({ exclusive: 'x' }).release();
  await Promise.all([first.close(), second.close()]);
  expect(findArenaFaults(arena)).toEqual([]);
});

it('one that closes as it joins gives its slot back', () => {
  const arena = createArena({ agentsMax: 2 });
  const control = controlOf(arena);
  for (let turn = 0; turn < 5; turn++) {
    const { agent, generation } = joinIn(control);
    expect(agent).toBe(0);
    withdraw(control, agent, generation);
  }
  expect(findArenaFaults(arena)).toEqual([]);
});

it('a domain of this runtime, whose ends are reported, is ready from the beginning', async () => {
  const domain = openThreadsDomain(createArena());
  domain.attachWorker({ postMessage: () => undefined });
  const order: string[] = [];
  const ready = domain.ready.then(() => order.push('ready'));
  await Promise.resolve().then(() => order.push('a turn later'));
  await ready;
  expect(order).toEqual(['ready', 'a turn later']);
  await domain.close();
});

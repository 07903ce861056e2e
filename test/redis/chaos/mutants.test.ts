/**
 * A check of the chaos run itself: the five most likely faults are injected into the backend, and
 * the run must detect each by its own finding.
 */

import { afterAll, expect, it } from 'vitest';
import { bundleProgram, removePrograms } from '../../broker/programs.ts';
import { describeWithRedis } from '../server.ts';
import { runChaos } from './chaos-run.ts';
import type { FaultName } from './faults.ts';
import { faultySource, type SourceFault } from './faulty-source.ts';

interface Mutant {
  readonly name: string;
  readonly source: readonly SourceFault[];
  /** Under which it shows; none if it does anyway. */
  readonly faultNames?: readonly FaultName[];
  readonly clientCount?: number;
  readonly pauseMsMax?: number;
  readonly repeatedShare?: number;
  /** One of the run's findings is like this. */
  readonly noticed: RegExp;
}

const mutants: readonly Mutant[] = [
  {
    name: 'a writer is granted beside a reader',
    source: [
      {
        file: 'lua/rule.lua',
        find: 'not front or not (takesAll(link) or takesAll(front))',
        replace: 'not front or not takesAll(front)',
      },
    ],
    noticed: /^journal: .* both hold/,
  },
  {
    name: 'a request overtakes those that wait',
    source: [
      {
        file: 'lua/enqueue.lua',
        find: "waits = demand('ZCARD', root .. 'w:' .. name) > 0",
        replace: 'waits = false',
      },
    ],
    noticed: /^server: .* was granted before \d+ was over/,
  },
  {
    name: 'readers do not raise the fence',
    source: [
      {
        file: 'lua/fence.lua',
        find: 'if number > seen then',
        replace: 'if number > seen and not isShared then',
      },
    ],
    faultNames: ['client stopped'],
    clientCount: 8,
    pauseMsMax: 200,
    noticed: /^store: a write of .* was stale, and accepted/,
  },
  {
    name: 'notifications are lost, and no audit asks for them',
    source: [
      { file: 'receiver.ts', find: 'if (session !== server.id) return;', replace: 'return;' },
      {
        file: 'server-session.ts',
        find: 'notifiedCount !== this.#receivedCount || numberTop < this.numberAnswered',
        replace: 'false',
      },
    ],
    noticed: /^client \d+ did not come to an end/,
  },
  {
    name: 'a repeated request is queued a second time',
    source: [
      {
        file: 'lua/enqueue.lua',
        find: 'if tonumber(number) <= top then',
        replace: 'if false then',
      },
    ],
    repeatedShare: 0.2,
    noticed: /^server: request .* was queued twice/,
  },
];

const seed = Number(process.env['KDS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

describeWithRedis('a backend that is broken so that', () => {
  afterAll(removePrograms);

  it.each(mutants)('$name is noticed', async ({ source, noticed, name: _, ...mutant }) => {
    const entry = new URL('./client.ts', import.meta.url);
    const program = await bundleProgram(entry, [faultySource(source)]);
    const { faults } = await runChaos({
      program,
      // Of a fault that has to come first; else it shows at once. It ends when it has.
      seconds: mutant.faultNames === undefined ? 2 : 60,
      endsAtStale: true,
      seed,
      faultNames: [],
      clientCount: 4,
      leaseMs: 600,
      repeatedShare: 0,
      calmMsMax: 3000,
      ...mutant,
    });
    expect(faults).toContainEqual(expect.stringMatching(noticed));
  });
});

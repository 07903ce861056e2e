/**
 * A check of the chaos run itself: the most likely faults are injected into the backend, and the
 * run must detect each by its own finding. Faults that take long to detect are injected with
 * `KDS_STRESS_SECONDS` only. (A run rarely detects that a client relies on its lease for too long;
 * ../network.test.ts detects it each time.)
 */

import { afterAll, describe, expect, it } from 'vitest';
import { bundleProgram, removePrograms } from '../../broker/programs.ts';
import { faultySource, type SourceFault } from '../../redis/chaos/faulty-source.ts';
import { hasEtcd } from '../server.ts';
import { type ChaosPlan, runChaos } from './chaos-run.ts';
import type { FaultName } from './faults.ts';

interface Mutant extends Partial<ChaosPlan> {
  readonly name: string;
  readonly source: readonly SourceFault[];
  /** Under which it shows; none if it does anyway. */
  readonly faultNames?: readonly FaultName[];
  /** One of the run's findings is like this. */
  readonly noticed: RegExp;
  readonly isSlow?: boolean;
}

const mutants: readonly Mutant[] = [
  {
    name: 'who comes is granted before its turn',
    source: [
      {
        file: 'replica.ts',
        find: 'added.filter((live) => this.state.isGranted(live))',
        replace: 'added',
      },
    ],
    noticed: /^journal: .* both hold/,
  },
  {
    name: 'what a watch leaves out is not missed',
    source: [
      {
        file: 'replica.ts',
        find: 'if (link === undefined || link.isDelete) return;',
        replace: 'return;',
      },
    ],
    faultNames: ['watch lossy'],
    seconds: 4,
    pauseMsMax: 200,
    noticed: /^copies: the copy of \d+ is another one at/,
  },
  {
    name: 'keys that are read anew are taken in the order of their names',
    source: [
      {
        file: 'derived-state.ts',
        find: 'for (const live of [...sets].sort(byArrival)) this.add(live);',
        replace: 'for (const live of sets) this.add(live);',
      },
    ],
    faultNames: ['connections cut'],
    seconds: 3,
    pauseMsMax: 200,
    noticed: /^copies: the copy of \d+ is another one at/,
    isSlow: true,
  },
  {
    name: 'what a dead one held is not flagged',
    source: [
      {
        file: 'batch.ts',
        find: 'refs.map((ref) => flagOf(keys, encodeResource(ref, session), true))',
        replace: 'refs.slice(0, 0)',
      },
    ],
    faultNames: ['client killed'],
    seconds: 5,
    noticed: /^log: what .* held of . was given on without a flag/,
    isSlow: true,
  },
  {
    name: 'what a repeated call has made is left in line',
    source: [
      {
        file: 'outbox.ts',
        find: 'own.isEnding = true;\n    void this.update(own);',
        replace: '',
      },
    ],
    repeatedShare: 0.3,
    noticed: /^client \d+ did not come to an end|^left in the log/,
    isSlow: true,
  },
  {
    name: 'the guard does not ask for the set and the session',
    source: [
      {
        file: 'grant.ts',
        find: "{ key: known.key, target: 'Mod', revision: known.modRevision },",
        replace: '',
      },
      {
        file: 'grant.ts',
        find: "{ key: keys.session(id), target: 'Create', revision: createRevision },",
        replace: '',
      },
    ],
    faultNames: ['client stopped'],
    seconds: 15,
    noticed: /^log: a write at \d+ came under .*, which was not held/,
    isSlow: true,
  },
];

const seed = Number(process.env['KDS_SEED'] ?? Date.now() % 2 ** 31);
const isLong = Number(process.env['KDS_STRESS_SECONDS'] ?? 0) > 0;

describe.skipIf(!hasEtcd)(hasEtcd ? 'a backend that is broken so that' : 'skipped: no etcd', () => {
  afterAll(removePrograms);

  it.each(mutants.filter(({ isSlow = false }) => isLong || !isSlow))(
    '$name is noticed',
    { timeout: 1_200_000 },
    async ({ source, noticed, name: _, isSlow, ...plan }) => {
      const entry = new URL('./client.ts', import.meta.url);
      const program = await bundleProgram(entry, [faultySource(source, 'etcd')]);
      const { faults } = await runChaos({
        program,
        seed,
        faultNames: [],
        seconds: 2,
        clientCount: 4,
        memberCount: 1,
        repeatedShare: 0,
        calmMsMax: 3000,
        ...plan,
      });
      expect(faults).toContainEqual(expect.stringMatching(noticed));
    },
  );
});

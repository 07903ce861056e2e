/**
 * The faults of a world, and how often each happens: chosen by its seed, so that some worlds are
 * calm enough for strict bounds of time, and others have every fault.
 */

import type { SeededRandom } from '../random.ts';
import type { NetworkQuality } from './system.ts';

export const profileNames = [
  'calm',
  'deadly',
  'drowsy',
  'torn',
  'failing',
  'timed',
  'deleted',
  'full',
  'wild',
] as const;

export type ProfileName = (typeof profileNames)[number];

/** The mean time between two faults of a kind, in ms; undefined for never. */
export interface FaultProfile {
  readonly name: ProfileName;
  readonly quality: NetworkQuality;
  /** A client is killed, stopped, or has its connection cut. */
  readonly killMs?: number;
  readonly stopMs?: number;
  readonly cutMs?: number;
  /** The broker is killed, stopped, or sent a signal to end. */
  readonly brokerKillMs?: number;
  readonly brokerStopMs?: number;
  readonly brokerEndMs?: number;
  /** The time of day is set. */
  readonly timeMs?: number;
  /** Files of the broker are deleted: one, or all, or their folder too. */
  readonly deleteMs?: number;
  /** The disk is full for a while. */
  readonly fullMs?: number;
}

export function profileOf(random: SeededRandom, wanted?: ProfileName): FaultProfile {
  const drawn = random.pick([...profileNames, 'wild', 'wild'] as const);
  const name = wanted ?? drawn;
  const quality: NetworkQuality = {
    delayMsMin: random.pick([0.02, 0.1]),
    delayMsMax: random.pick([0.2, 1, 10]),
    splits: random.pick([0, 0.1, 0.5]),
  };
  const none = { name, quality };
  switch (name) {
    case 'calm':
      return none;
    case 'deadly':
      return { ...none, killMs: 600 };
    case 'drowsy':
      return { ...none, stopMs: 2000, brokerStopMs: 400, brokerKillMs: 900 };
    case 'torn':
      return { ...none, cutMs: 500 };
    case 'failing':
      return { ...none, brokerKillMs: random.pick([800, 2500]), brokerEndMs: 4000 };
    case 'timed':
      return { ...none, timeMs: 700, brokerKillMs: 1200, brokerEndMs: 4000 };
    case 'deleted':
      return { ...none, deleteMs: 500, brokerKillMs: 4000, brokerStopMs: 800, killMs: 1500 };
    case 'full':
      return {
        ...none,
        ...{ fullMs: 1000, brokerKillMs: 1000, brokerEndMs: 4000, timeMs: 1200, killMs: 1500 },
      };
    case 'wild':
      return {
        ...none,
        ...{ killMs: 2500, stopMs: 2500, cutMs: 2500, brokerKillMs: 2500, brokerStopMs: 4000 },
        ...{ brokerEndMs: 6000, fullMs: 5000 },
        // If a broker's record is gone, only the clock bounds the tokens it has given.
        ...(random.chance(0.5) ? { timeMs: 2500 } : { deleteMs: 2500 }),
      };
  }
}

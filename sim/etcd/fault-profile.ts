/**
 * The faults of a world, and how often each happens: chosen by its seed, so that some worlds are
 * calm enough for strict bounds of time, and others have every fault.
 */

import type { SeededRandom } from '../random.ts';
import { flawless, type NetworkQuality } from './network.ts';

export const profileNames = [
  'calm',
  'lossy',
  'deadly',
  'drowsy',
  'torn',
  'parted',
  'failing',
  'compacted',
  'full',
  'wild',
] as const;

export type ProfileName = (typeof profileNames)[number];

/** The mean time between two faults of a kind, in ms; undefined for never. */
export interface FaultProfile {
  readonly name: ProfileName;
  readonly quality: NetworkQuality;
  readonly memberCount: number;
  readonly lagMsMax: number;
  readonly dropsCompactedDeletes: boolean;
  /** Streams are cut, or fall silent. */
  readonly cutMs?: number;
  readonly muteMs?: number;
  /** A client is parted from some members. */
  readonly partMs?: number;
  /** A client is stopped, killed, or has its time of day set. */
  readonly stopMs?: number;
  readonly killMs?: number;
  readonly timeMs?: number;
  /** A member is frozen, isolated, restarted, or replaced; a leader steps down. */
  readonly memberMs?: number;
  /** The log is compacted while a watch is behind. */
  readonly compactMs?: number;
  /** Etcd is out of space for a while. */
  readonly fullMs?: number;
}

export function profileOf(random: SeededRandom, wanted?: ProfileName): FaultProfile {
  const drawn = random.pick([...profileNames, 'wild', 'wild'] as const);
  const name = wanted ?? drawn;
  const quality: NetworkQuality = {
    delayMsMin: random.pick([0.05, 0.5, 2]),
    delayMsMax: random.pick([2, 5, 20]),
    ...flawless,
    lateMsMax: random.pick([50, 500, 5000]),
  };
  const none = {
    ...{ name, quality },
    memberCount: random.pick([1, 3, 3, 5]),
    lagMsMax: random.pick([1, 10, 100]),
    dropsCompactedDeletes: false,
  };
  const badly: NetworkQuality = {
    ...quality,
    ...{ requestLoss: 0.03, answerLoss: 0.05, repeats: 0.15, lateness: 0.1 },
  };
  switch (name) {
    case 'calm':
      return none;
    case 'lossy':
      return { ...none, quality: { ...quality, messageLoss: random.real(0.02, 0.4) } };
    case 'deadly':
      return { ...none, killMs: 1500 };
    case 'drowsy':
      return { ...none, stopMs: 700, timeMs: 1000 };
    case 'torn':
      return { ...none, quality: badly, cutMs: 700, muteMs: 2000 };
    case 'parted':
      return { ...none, partMs: 1500 };
    case 'failing':
      return { ...none, memberMs: 1500 };
    case 'compacted':
      return { ...none, compactMs: 100, dropsCompactedDeletes: true, cutMs: 3000 };
    case 'full':
      return { ...none, fullMs: 2500, killMs: 3000 };
    case 'wild':
      return {
        ...none,
        quality: { ...badly, messageLoss: random.pick([0, 0.05]) },
        dropsCompactedDeletes: random.chance(0.5),
        ...{ cutMs: 2000, muteMs: 4000, partMs: 4000, stopMs: 2500, killMs: 4000, timeMs: 3000 },
        ...{ memberMs: 4000, compactMs: 1000, fullMs: 10_000 },
      };
  }
}

/**
 * The faults of a world, and how often each happens: chosen by its seed, so that some worlds are
 * calm enough for strict bounds of time, and others have every fault.
 */

import type { SeededRandom } from '../random.ts';
import type { NetworkQuality } from './connection.ts';

export type ProfileName =
  | 'calm'
  | 'deaf'
  | 'deadly'
  | 'drowsy'
  | 'torn'
  | 'parted'
  | 'failing'
  | 'wild';

/** The mean time between two faults of a kind, in ms; undefined for never. */
export interface FaultProfile {
  readonly name: ProfileName;
  readonly quality: NetworkQuality;
  readonly cutMs?: number;
  readonly muteMs?: number;
  readonly partMs?: number;
  readonly stopMs?: number;
  readonly killMs?: number;
  readonly serverStopMs?: number;
  /** The server ends; it comes back with its keys, or another one without the last of them. */
  readonly serverEndMs?: number;
  readonly forgetScriptsMs?: number;
  /** Steps that may be lost when a server takes over, and the difference of clocks, in ms. */
  readonly stepsLostMax: number;
  readonly clockSkewMsMax: number;
}

export function profileOf(random: SeededRandom, wanted?: ProfileName): FaultProfile {
  const drawn = random.pick([
    ...([
      'calm',
      'deaf',
      'deadly',
      'drowsy',
      'torn',
      'parted',
      'failing',
      'wild',
      'wild',
      'wild',
    ] as const),
  ]);
  const name = wanted ?? drawn;
  const quality = {
    delayMsMin: random.pick([0.05, 0.5, 2]),
    delayMsMax: random.pick([2, 5, 20]),
    messageLoss: 0,
    reconnectMsMax: random.pick([5, 50, 400]),
    resends: random.chance(0.5),
  };
  const none = { name, quality, stepsLostMax: 0, clockSkewMsMax: 0 };
  switch (name) {
    case 'calm':
      return none;
    case 'deaf':
      return { ...none, quality: { ...quality, messageLoss: random.real(0.1, 1) }, muteMs: 700 };
    case 'deadly':
      return { ...none, killMs: 600 };
    case 'drowsy':
      return { ...none, stopMs: 200, forgetScriptsMs: 200 };
    case 'torn':
      return { ...none, cutMs: 300, muteMs: 500, forgetScriptsMs: 200 };
    case 'parted':
      return { ...none, partMs: 500 };
    case 'failing':
      return {
        ...none,
        serverEndMs: 1000,
        stepsLostMax: random.pick([0, 4, 8, 30]),
        clockSkewMsMax: 40,
      };
    case 'wild':
      return {
        ...none,
        quality: { ...quality, messageLoss: random.pick([0, 0.2]) },
        ...{
          cutMs: 900,
          muteMs: 900,
          stopMs: 1200,
          killMs: 1800,
          partMs: 2500,
          serverStopMs: 3000,
        },
        ...{ serverEndMs: 3000, forgetScriptsMs: 3000, stepsLostMax: random.pick([0, 6, 30]) },
        clockSkewMsMax: 40,
      };
  }
}

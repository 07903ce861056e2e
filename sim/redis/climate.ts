/**
 * What goes wrong in a world, and how much: chosen by its seed, so that some worlds are calm enough
 * for strict bounds of time, and others have everything.
 */

import type { SeededRandom } from '../random.ts';
import type { NetworkQuality } from './connection.ts';

export type ClimateName =
  | 'calm'
  | 'deaf'
  | 'deadly'
  | 'drowsy'
  | 'torn'
  | 'parted'
  | 'failing'
  | 'wild';

/** How often each happens: the mean time between two, in ms; undefined for never. */
export interface Climate {
  readonly name: ClimateName;
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
  /** So many steps may be lost when a server takes over, and by so much clocks differ, in ms. */
  readonly stepsLostMax: number;
  readonly clockSkewMsMax: number;
}

export function climateOf(random: SeededRandom, wanted?: ClimateName): Climate {
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

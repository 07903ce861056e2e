/**
 * One simulated computer: processes, a disk, sockets, and one time of day. The code of the broker
 * and its clients finds it in place of node:fs, node:net and so on (node-fs.ts and its like).
 *
 * A process is a Machine whose code runs event by event; `running` is the one whose event it is.
 * The kernel goes on where a process is stopped: connections are let in, and bytes wait.
 */

import type { Clock } from '../../src/runtime/clock.ts';
import type { Machine } from '../machine.ts';
import type { SeededRandom } from '../random.ts';
import type { World } from '../world.ts';
import { Disk, systemError } from './disk.ts';

export interface NetworkQuality {
  readonly delayMsMin: number;
  readonly delayMsMax: number;
  /** Probability that bytes that were written at once arrive in two parts. */
  readonly splits: number;
}

/** A server as the kernel knows it. */
export interface Listener {
  readonly machine: Machine;
  /** A path, or a name after NUL. */
  readonly path: string;
  readonly ino: number;
  isOpen: boolean;
  accept(): Endpoint;
}

/** An end of a connection as the kernel knows it. */
export interface Endpoint {
  readonly machine: Machine;
  /** Its process knows that it is connected. */
  readonly isConnected: boolean;
  destroy(): void;
  /** Its process has died. */
  vanish(): void;
}

/** Sees what the sockets of brokers receive and send, and how they end. */
export interface Tap {
  received(socket: Endpoint, bytes: Buffer): void;
  sent(socket: Endpoint, bytes: Buffer): void;
  closed(socket: Endpoint, byPeer: boolean): void;
}

/** Starts a program with these arguments; `print` has its output, which then ends. */
export type Spawn = (
  args: readonly string[],
  print: (text: string) => void,
  onEnd: () => void,
) => void;

const epochStartMs = 1_750_000_000_000;

export class System {
  readonly world: World;
  readonly random: SeededRandom;
  readonly disk = new Disk();
  readonly quality: NetworkQuality;
  spawn: Spawn = () => undefined;
  tap: Tap | undefined;
  /** Grows with each event of any process. */
  eventCount = 0;
  running: Machine | undefined;
  readonly listeners = new Set<Listener>();
  readonly #endpoints = new Map<Machine, Set<Endpoint>>();
  #epochMs = epochStartMs;

  constructor(world: World, quality: NetworkQuality) {
    this.world = world;
    this.random = world.random.fork();
    this.quality = quality;
  }

  /** Makes a machine one of this computer's processes. */
  adopt(machine: Machine): void {
    machine.onRun = () => this.enter(machine);
    this.#endpoints.set(machine, new Set());
  }

  /** From here on a process runs, to the end of this event. */
  enter(machine: Machine): void {
    this.eventCount++;
    this.running = machine;
  }

  /** Of the process that runs. */
  get process(): Machine {
    if (this.running === undefined) throw new Error('no process runs');
    return this.running;
  }

  epochMs(): number {
    return this.#epochMs + this.world.nowMs;
  }

  /** The time of day is set forward or back, for all processes and the disk. */
  setTime(byMs: number): void {
    this.#epochMs += byMs;
    this.world.log(() => `the time of day is set by ${byMs.toFixed(0)} ms`);
  }

  /** The clock that a process is given. */
  clockOf(machine: Machine): Clock {
    return {
      nowMs: () => machine.nowMs(),
      epochMs: () => this.epochMs(),
      after: (delayMs, onTime) => machine.after(delayMs, onTime),
    };
  }

  /** For `setTimeout` of the process that runs. */
  after(delayMs: number, run: () => void): () => void {
    return this.process.after(delayMs, run);
  }

  /** Ends a process at once, with its sockets; its files stay. */
  kill(machine: Machine): void {
    machine.kill();
    for (const listener of this.listeners) {
      if (listener.machine === machine) this.stopListening(listener);
    }
    for (const endpoint of [...(this.#endpoints.get(machine) ?? [])]) endpoint.vanish();
    this.#endpoints.delete(machine);
  }

  /** Ends the connections of a process, which goes on. */
  cut(machine: Machine): void {
    for (const endpoint of [...(this.#endpoints.get(machine) ?? [])]) {
      if (endpoint.isConnected) endpoint.destroy();
    }
  }

  addEndpoint(endpoint: Endpoint): void {
    this.#endpoints.get(endpoint.machine)?.add(endpoint);
  }

  removeEndpoint(endpoint: Endpoint): void {
    this.#endpoints.get(endpoint.machine)?.delete(endpoint);
  }

  stopListening(listener: Listener): void {
    listener.isOpen = false;
    this.listeners.delete(listener);
  }

  /** The server that a path leads to. @throws ENOENT, ECONNREFUSED, ELOOP, ENOTDIR */
  listenerAt(path: string): Listener {
    const entry = path.startsWith('\0') ? undefined : this.disk.get(path, true);
    for (const listener of this.listeners) {
      if (entry === undefined ? listener.path === path : listener.ino === entry.ino) {
        return listener;
      }
    }
    throw systemError('ECONNREFUSED', path);
  }

  delayMs(): number {
    return this.random.real(this.quality.delayMsMin, this.quality.delayMsMax);
  }
}

let system: System | undefined;

/** Worlds run one after the other: there is one system at a time. */
export function setSystem(next: System): void {
  system = next;
}

export function theSystem(): System {
  if (system === undefined) throw new Error('there is no simulated system');
  return system;
}

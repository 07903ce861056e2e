/**
 * A simulated Redis server: one thread that runs one command after another, scripts among them, on
 * keys that may be lost as a real server's may.
 *
 * Its clock is what others are measured by: a ms of the world is a ms of the server. It may be
 * stopped, so that commands wait; end and begin again with its keys, or without the last steps, as
 * when a replica takes over that had not received them. Then scripts and subscriptions are gone.
 */

import type { World } from '../world.ts';
import { runCommand } from './commands.ts';
import { Keyspace } from './keyspace.ts';
import { type LuaMachine, RedisError, type Reply, type Script } from './lua.ts';
import { toBytes } from './wire.ts';

/** A connection, as the server sees it. */
export interface Peer {
  receive(channel: string, message: string): void;
}

/** Notified of each step of the server, and of steps that it lost, before the next one. */
export interface StepMonitor {
  /** A script, or a command by itself, whether or not it changed any key. */
  ran(script: string | undefined, keys: readonly string[], args: readonly string[]): void;
  /** It has ended, or stopped: clients receive nothing from it for a while. */
  wentDown(): void;
  rolledBack(): void;
}

const startUs = 1_750_000_000_000_000;

export class SimulatedServer {
  readonly keyspace = new Keyspace();
  monitor: StepMonitor | undefined;
  readonly #world: World;
  readonly #lua: LuaMachine;
  readonly #scripts = new Map<string, Script>();
  readonly #names = new Map<string, string>();
  readonly #subscribers = new Map<string, Set<Peer>>();
  #isStopped = false;
  #isUp = true;
  #waiting: (() => void)[] = [];
  /** By how much its clock is ahead of the first server's: another machine may have taken over. */
  #aheadUs = 0;

  /** `scriptNames`: what a script of that text is called in the log. */
  constructor(world: World, lua: LuaMachine, scriptNames: ReadonlyMap<string, string>) {
    this.#world = world;
    this.#lua = lua;
    for (const [text, name] of scriptNames) this.#names.set(lua.compile(toBytes(text)).sha, name);
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  get nowUs(): number {
    return startUs + Math.floor(this.#world.nowMs * 1000) + this.#aheadUs;
  }

  /** Runs a command now, or once the server goes on; `answer` gets the reply or the error. */
  receive(peer: Peer, words: readonly string[], answer: (reply: Reply | RedisError) => void): void {
    if (!this.#isUp) return;
    if (this.#isStopped) this.#waiting.push(() => answer(this.#run(peer, words)));
    else answer(this.#run(peer, words));
  }

  /** A connection has ended. */
  forget(peer: Peer): void {
    for (const peers of this.#subscribers.values()) peers.delete(peer);
  }

  stop(): void {
    this.#isStopped = true;
    this.monitor?.wentDown();
    this.#world.log(() => 'the server is stopped');
  }

  resume(): void {
    this.#isStopped = false;
    this.#world.log(() => 'the server goes on');
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const run of waiting) run();
  }

  /** What it was sent and had not run yet is lost; connections must be cut by whoever does this. */
  goDown(): void {
    this.#isUp = false;
    this.#isStopped = false;
    this.#waiting = [];
    this.monitor?.wentDown();
    this.#world.log(() => 'the server is down');
  }

  /** With its keys, but for the last steps, or for all; its clock may be another's. */
  comeUp(stepsLost: number | 'all', aheadUs: number): void {
    this.#isUp = true;
    this.#aheadUs += aheadUs;
    this.#scripts.clear();
    this.#subscribers.clear();
    if (stepsLost === 'all') this.keyspace.clear();
    else this.keyspace.rollBack(stepsLost);
    this.#world.log(() => `the server is up, without ${stepsLost} of the last steps`);
    this.monitor?.rolledBack();
  }

  /** SCRIPT FLUSH, by somebody else. */
  forgetScripts(): void {
    this.#scripts.clear();
    this.#world.log(() => 'the server has forgotten the scripts');
  }

  #run(peer: Peer, words: readonly string[]): Reply | RedisError {
    this.keyspace.expire(Math.floor(this.nowUs / 1000));
    try {
      return this.#command(peer, words);
    } catch (error) {
      if (!(error instanceof RedisError)) throw error;
      this.#world.log(() => `server error: ${error.message}`);
      return error;
    } finally {
      this.keyspace.commit();
    }
  }

  #command(peer: Peer, words: readonly string[]): Reply {
    const [name = '', ...args] = words;
    switch (name.toUpperCase()) {
      case 'EVALSHA': {
        const script = this.#scripts.get(args[0] as string);
        if (script === undefined)
          throw new RedisError('NOSCRIPT No matching script. Please use EVAL.');
        return this.#script(script, args);
      }
      case 'EVAL': {
        const script = this.#lua.compile(args[0] as string);
        this.#scripts.set(script.sha, script);
        return this.#script(script, args);
      }
      case 'SCRIPT': {
        const [what, ...given] = args;
        if (what === 'EXISTS') return given.map((sha) => (this.#scripts.has(sha) ? 1 : 0));
        if (what !== 'LOAD') throw new Error(`SCRIPT ${what}`);
        const script = this.#lua.compile(args[1] as string);
        this.#scripts.set(script.sha, script);
        return script.sha;
      }
      case 'SUBSCRIBE':
        return this.#subscribe(peer, args[0] as string);
      case 'INFO':
        return 'redis_version:7.0.15\r\nredis_mode:standalone\r\n';
      default:
        return this.#alone(words);
    }
  }

  #script(script: Script, [, countText, ...rest]: readonly string[]): Reply {
    const keyCount = Number(countText);
    const keys = rest.slice(0, keyCount);
    const args = rest.slice(keyCount);
    const nowUs = this.nowUs;
    const surroundings = {
      keyspace: this.keyspace,
      nowUs,
      publish: (channel: string, message: string) => this.#publish(channel, message),
    };
    const name = this.#names.get(script.sha);
    this.#world.log(() => `server runs ${name ?? script.sha.slice(0, 8)} ${args.join(' ')}`);
    const reply = this.#lua.run(script, keys, args, (words) => runCommand(surroundings, words));
    this.#world.log(() => `  = ${JSON.stringify(reply)}`);
    this.monitor?.ran(name, keys, args);
    return reply;
  }

  #alone(words: readonly string[]): Reply {
    this.#world.log(() => `server runs ${words.join(' ')}`);
    const reply = runCommand(
      {
        keyspace: this.keyspace,
        nowUs: this.nowUs,
        publish: (channel, message) => this.#publish(channel, message),
      },
      words,
    );
    this.monitor?.ran(undefined, [], words);
    return reply;
  }

  #subscribe(peer: Peer, channel: string): Reply {
    const peers = this.#subscribers.get(channel) ?? new Set();
    peers.add(peer);
    this.#subscribers.set(channel, peers);
    return ['subscribe', channel, 1];
  }

  #publish(channel: string, message: string): number {
    const peers = this.#subscribers.get(channel) ?? new Set();
    for (const peer of peers) peer.receive(channel, message);
    return peers.size;
  }
}

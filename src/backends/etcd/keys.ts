/**
 * The keys of a domain in etcd. All of them begin with `kds/NAME/`, NAME percent-encoded:
 *
 *     q/SESSION/NUMBER   a set that waits or is held: see entries.ts
 *     s/SESSION          a client, under its lease; without it, its session has expired
 *     m/RESOURCE         a recovered flag: its exclusive holder died, was revoked, or abandoned it
 *     u/RESOURCE         its capacity, declared or asserted: see entries.ts
 *     n/RESOURCE         put by each set that records numbers of units of it
 *     t                  put by each stealing request
 *     v                  the version of these keys and values, compared and put by each client
 *                        that opens a session
 *     c                  the chain: put by each transaction that changes sets or flags, or brings
 *                        a session. Its version counts them, and its value has what each does,
 *                        so a reader sees whether one is missing, or a part of it. What
 *                        etcd ends by itself, a session, is not counted. Deleted by releases
 *                        that etcd has no space to count
 *
 * Nothing else is kept. In byte order the numbers of one session are in order.
 */

import type { RemoteRef } from '../../remote/resources.ts';

/** Of the keys of a domain and their values. */
export const layoutVersion = 3;

const numberLength = 16;

export class Keys {
  /** Of the domain. */
  readonly name: string;
  readonly prefix: string;
  readonly steal: string;
  readonly version: string;
  readonly chain: string;
  readonly sets: string;
  readonly sessions: string;
  readonly flags: string;
  readonly capacities: string;
  readonly numbers: string;

  constructor(name: string) {
    this.name = name;
    this.prefix = `kds/${encodeURIComponent(name)}/`;
    this.sets = `${this.prefix}q/`;
    this.sessions = `${this.prefix}s/`;
    this.flags = `${this.prefix}m/`;
    this.capacities = `${this.prefix}u/`;
    this.numbers = `${this.prefix}n/`;
    this.steal = `${this.prefix}t`;
    this.version = `${this.prefix}v`;
    this.chain = `${this.prefix}c`;
  }

  setsOf(session: string): string {
    return `${this.sets}${session}/`;
  }

  set(session: string, number: number): string {
    return `${this.setsOf(session)}${String(number).padStart(numberLength, '0')}`;
  }

  session(session: string): string {
    return `${this.sessions}${session}`;
  }

  flag(resource: string): string {
    return `${this.flags}${resource}`;
  }

  capacity(resource: string): string {
    return `${this.capacities}${resource}`;
  }

  /** Whose revision shows whether numbers of units have been recorded since. */
  numbersOf(resource: string): string {
    return `${this.numbers}${resource}`;
  }

  /** Undefined for what is no set's key. */
  partsOfSet(key: string): { readonly session: string; readonly number: number } | undefined {
    const match = /^([0-9a-f]{1,32})\/(\d{16})$/.exec(key.slice(this.sets.length));
    if (match === null || !key.startsWith(this.sets)) return undefined;
    return { session: match[1] as string, number: Number(match[2]) };
  }
}

/**
 * Identifies a resource in the domain: of a named one, its name as part of a key,
 * whatever string it is, lone surrogates too; what has no name is its session's.
 */
export function encodeResource(ref: RemoteRef, session: string): string {
  // No name is encoded so: its `#` would be written `%23`.
  if (typeof ref === 'number') return `#${session}/${ref}`;
  if (plain.test(ref)) return ref;
  return Array.from(ref, encodeCharacter).join('');
}

/** The session that alone reaches a resource, as it has no name; undefined for one with a name. */
export function sessionOfResource(resource: string): string | undefined {
  return resource.startsWith('#') ? resource.slice(1, resource.indexOf('/')) : undefined;
}

/** Text that stands for itself, as most names do. */
const plain = /^[\w.:/ -]*$/;

function encodeCharacter(character: string): string {
  if (plain.test(character)) return character;
  const unit = character.charCodeAt(0);
  const isLone = character.length === 1 && unit >= 0xd800 && unit <= 0xdfff;
  return isLone ? `%u${unit.toString(16)}` : encodeURIComponent(character);
}

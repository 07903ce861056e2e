/**
 * The objects that stand for sets of one event loop: a set's tag leads to its object.
 *
 * A set that waits is tagged with its request. A grant needs a tag only if it has details: it knows
 * its set, and core knows by the token whether that is still held.
 */

import type { Core } from '../../core/index.ts';
import type { Owners, OwnObject } from '../../local/owners.ts';
import { Registry } from './registry.ts';

export class ProcessOwners implements Owners {
  /** By tags; tag 0 has no object. */
  readonly tagged = new Registry<OwnObject>();
  /** Number of sets that live. */
  count = 0;
  private readonly core: Core;

  constructor(core: Core) {
    this.core = core;
  }

  /** Core reserves memory by itself. */
  tagFor(): number {
    this.count++;
    return 0;
  }

  freeTag(): void {
    this.count--;
  }

  attach(object: OwnObject): void {
    this.core.setUserData(object.set, this.tagged.add(object));
  }

  take(set: number): OwnObject | undefined {
    const tag = this.core.userData(set);
    return tag === 0 ? undefined : this.untag(set, tag);
  }

  end(set: number): OwnObject | undefined {
    this.count--;
    const tag = this.core.userData(set);
    return tag === 0 ? undefined : this.untag(set, tag);
  }

  all(): readonly OwnObject[] {
    return this.tagged.values();
  }

  sets(): readonly number[] {
    return this.core.sets();
  }

  forwardGranted(): boolean {
    return false;
  }

  forwardLost(): boolean {
    return false;
  }

  private untag(set: number, tag: number): OwnObject {
    const object = this.tagged.get(tag);
    this.tagged.delete(tag);
    this.core.setUserData(set, 0);
    return object;
  }
}

/**
 * The objects that stand for sets of one event loop: a set's user data is the number of its object.
 *
 * A set that waits has its request. A grant needs a number only if it has details: it knows its
 * set, and core knows by the token whether that is still held.
 */

import type { Core } from '../../core/index.ts';
import type { Owners, OwnObject } from '../../local/owners.ts';
import { Registry } from './registry.ts';

export class ProcessOwners implements Owners {
  /** By user data; 0 is no object. */
  readonly objects = new Registry<OwnObject>();
  /** Number of sets that live. */
  count = 0;
  private readonly core: Core;

  constructor(core: Core) {
    this.core = core;
  }

  /** Core reserves memory by itself. */
  userDataFor(): number {
    this.count++;
    return 0;
  }

  freeUserData(): void {
    this.count--;
  }

  attach(object: OwnObject): void {
    this.core.setUserData(object.set, this.objects.add(object));
  }

  take(set: number): OwnObject | undefined {
    const userData = this.core.userData(set);
    return userData === 0 ? undefined : this.detach(set, userData);
  }

  end(set: number): OwnObject | undefined {
    this.count--;
    const userData = this.core.userData(set);
    return userData === 0 ? undefined : this.detach(set, userData);
  }

  all(): readonly OwnObject[] {
    return this.objects.values();
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

  private detach(set: number, userData: number): OwnObject {
    const object = this.objects.get(userData);
    this.objects.delete(userData);
    this.core.setUserData(set, 0);
    return object;
  }
}

/** Handles of resources, each of one domain. */

import { closedResource, foreignSet } from '../api/refusals.ts';
import { type AcceptHandle, checkName, type Resource } from '../api/sets.ts';

interface HandleOwner {
  close(handle: ResourceHandle): void | Promise<void>;
}

export class ResourceHandle implements Resource {
  readonly name: string | undefined;
  /** Its difference from others without a name. */
  readonly number: number;
  isOpen = true;
  readonly #owner: HandleOwner;

  constructor(owner: HandleOwner, name: string | undefined, number: number) {
    this.#owner = owner;
    this.name = name;
    this.number = number;
  }

  /** The object that closes it. */
  get owner(): HandleOwner {
    return this.#owner;
  }

  /**
   * Accepts names, and handles of one owner. No proxy of a handle, which has no private fields: it
   * would run code of the caller's within operations.
   */
  static acceptOf(owner: HandleOwner): AcceptHandle {
    return (ref) => {
      if (typeof ref === 'object' && ref !== null && #owner in ref) {
        if (ref.#owner !== owner) throw foreignSet();
        return ref;
      }
      checkName(ref);
      return ref;
    };
  }

  /** @throws InvalidSetError */
  checkOpen(): void {
    if (!this.isOpen) throw closedResource(printableName(this));
  }

  close(): void | Promise<void> {
    return this.#owner.close(this);
  }

  /** For people. */
  toString(): string {
    return printableName(this);
  }
}

/** Not by its own toString(), which a caller may have replaced. */
export function printableName({ name, number }: ResourceHandle): string {
  return name ?? `#${number}`;
}

/** The capacities that a client has declared, which it declares again at each new broker. */

import type { RemoteRef } from '../../../remote/resources.ts';
import type { Declare } from '../wire/messages.ts';

type Declaration = Pick<Declare, 'resource' | 'capacity'> & { readonly order: number };

export class DeclaredCapacities {
  readonly #declared = new Map<RemoteRef, Declaration>();

  get count(): number {
    return this.#declared.size;
  }

  get all(): Iterable<Declaration> {
    return this.#declared.values();
  }

  /** A broker has accepted it. An answer to an earlier one may come later. */
  add(declaration: Declaration): void {
    const before = this.#declared.get(declaration.resource);
    if (before !== undefined && before.order > declaration.order) return;
    this.#declared.set(declaration.resource, declaration);
  }

  /** A resource without a name has ended. */
  delete(resource: RemoteRef): void {
    this.#declared.delete(resource);
  }
}

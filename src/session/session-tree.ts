/**
 * The tree of a domain's sessions. The domain itself is its root. The end of a session ends all
 * that was requested through it and through the sessions within it, however deep.
 */

import { checkIsObject, checkLabel } from '../api/options.ts';
import { domainClosed } from '../api/refusals.ts';

export interface SessionOptions {
  readonly label?: string | undefined;
  /** For servers: the entries of its sets in a snapshot have it. */
  readonly owner?: number | undefined;
}

/** `B`: what all sessions of a domain share. `T`: a request that waits, or a grant that is held. */
export class SessionScope<B, T> {
  readonly backend: B;
  readonly label: string | undefined;
  readonly owner: number | undefined;
  /** Undefined for the domain itself. */
  readonly parent: SessionScope<B, T> | undefined;
  /** Among the sessions of its domain, which itself is 0. */
  readonly number: number;
  /** What went through it and lives. Undefined for the domain, if its backend knows all of them. */
  readonly tracked: Set<T> | undefined;
  readonly #root: SessionScope<B, T>;
  readonly #children = new Set<SessionScope<B, T>>();
  #numberLast = 0;
  #isOpen = true;

  private constructor(
    backend: B,
    { label, owner }: SessionOptions,
    parent: SessionScope<B, T> | undefined,
    tracked: Set<T> | undefined,
  ) {
    this.backend = backend;
    this.label = label;
    this.owner = owner;
    this.parent = parent;
    this.tracked = tracked;
    this.#root = parent === undefined ? this : parent.#root;
    this.number = parent === undefined ? 0 : ++this.#root.#numberLast;
  }

  /** The scope of a domain. `tracked`: where it notes what lives, unless its backend knows. */
  static ofDomain<B, T>(backend: B, label?: string, tracked?: Set<T>): SessionScope<B, T> {
    return new SessionScope<B, T>(backend, { label }, undefined, tracked);
  }

  /** Whether it is open, and a domain's own that keeps no list of what lives. */
  get isPlain(): boolean {
    return this.#isOpen && this.tracked === undefined;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** @throws DomainClosedError */
  checkOpen(): void {
    if (!this.#isOpen) throw domainClosed();
  }

  /** A scope within it. @throws TypeError, LimitError, DomainClosedError */
  open(options: SessionOptions): SessionScope<B, T> {
    checkIsObject(options);
    const { label, owner } = options;
    if (label !== undefined) checkLabel(label);
    this.checkOpen();
    const child = new SessionScope<B, T>(this.backend, { label, owner }, this, new Set());
    this.#children.add(child);
    return child;
  }

  /** Closes it and all within it. Returns what lives of them. */
  close(): readonly T[] {
    const owned: T[] = [];
    const scopes: SessionScope<B, T>[] = [this];
    for (const scope of scopes) {
      scope.#isOpen = false;
      for (const object of scope.tracked ?? []) owned.push(object);
      for (const child of scope.#children) scopes.push(child);
    }
    if (this.parent !== undefined) this.parent.#children.delete(this);
    return owned;
  }
}

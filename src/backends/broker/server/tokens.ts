/**
 * Tokens and queue positions as clients receive them: greater than those of all terms before. They
 * begin at an offset: the time of day in µs, or the record of the last term, or the greatest token
 * that was claimed, whichever is greatest.
 */

import type { SyncGrant } from '../../../api/grant.ts';
import { tokenMax, tokenStartMax } from '../wire/limits.ts';
import type { Term } from './term.ts';

/** Number of tokens reserved at once: the next term begins beyond them. */
const tokensReserved = 2 ** 30;

export class Tokens {
  readonly #term: Pick<Term, 'noteTokens'>;
  #offset: number;
  #tokenLast: number;
  #reservedUpTo = 0;
  #positionLast: number;

  constructor(term: Pick<Term, 'noteTokens' | 'tokensBefore'>, epochMs: number) {
    this.#term = term;
    const nowUs = Math.floor(Math.max(0, Math.min(epochMs * 1000, tokenStartMax)));
    this.#offset = Math.max(nowUs, term.tokensBefore);
    this.#tokenLast = this.#offset;
    this.#positionLast = this.#offset;
    this.#reserve(this.#offset);
  }

  /** The token of a grant of the domain, for its client. */
  of(grant: SyncGrant): number {
    this.#tokenLast = this.#offset + grant.token;
    if (this.#tokenLast > this.#reservedUpTo) this.#reserve(this.#tokenLast);
    return this.#tokenLast;
  }

  /** Tokens are greater from now on. */
  pass(token: number): void {
    if (token <= this.#offset) return;
    this.#offset = token;
    this.#tokenLast = token;
    if (token > this.#reservedUpTo) this.#reserve(token);
  }

  /** The term before gave this token, and others since, whose clients may all have ended. */
  passSeen(token: number): void {
    if (token <= tokenStartMax) this.pass(token + tokensReserved);
  }

  nextPosition(): number {
    this.#positionLast++;
    return this.#positionLast;
  }

  /** Queue positions are greater from now on. */
  passPosition(position: number): void {
    if (position <= tokenMax) this.#positionLast = Math.max(this.#positionLast, position);
  }

  /** The term ends; `isClean`: nothing can be claimed from the next one. */
  end(isClean: boolean): void {
    this.#term.noteTokens(Math.max(this.#tokenLast, this.#positionLast), isClean);
  }

  #reserve(token: number): void {
    this.#reservedUpTo = token + tokensReserved;
    this.#term.noteTokens(this.#reservedUpTo);
  }
}

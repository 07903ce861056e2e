/** What etcd refuses, and whether that is for good. */

import { LimitError, ProtocolError } from '../../api/errors.ts';

/** Between two rounds through all members, in ms: it doubles each time. */
const pauseMsMin = 20;
const pauseMsMax = 500;

/** Etcd's refusal; the code is one of gRPC's. */
export class EtcdRefusal extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const codes = { exhausted: 8, unauthenticated: 16 };
/** Timer exceeded, unavailable: another member may do better, or the same one in a while. */
const passing: ReadonlySet<number> = new Set([4, 14]);
/** Of what is exhausted: requests at a time, and the quota, which an operator can raise. */
const passingExhaustion = /too many|space exceeded/;
const staleToken = /auth token|revision of auth store is old/;

/** @throws the error, unless another member, or the same one in a while, may do better. */
export function throwIfFinal(error: unknown, failsWithoutSpace = false): void {
  if (error instanceof ProtocolError || error instanceof LimitError) throw error;
  if (!(error instanceof EtcdRefusal)) return;
  const { code, message } = error;
  if (/too large|larger than max/.test(message)) {
    throw new LimitError(`etcd does not take a set that large: ${message}`);
  }
  if (isOutOfSpace(error) && failsWithoutSpace) throw error;
  const isPassing = code === codes.exhausted && passingExhaustion.test(message);
  if (!passing.has(code) && !isPassing) throw error;
}

/** Whether etcd takes no puts, as its data has grown to its quota; it takes deletions. */
export function isOutOfSpace(error: unknown): boolean {
  return error instanceof EtcdRefusal && error.message.includes('space exceeded');
}

/** Whether a token that was right before is not any more: it expired, or users have updated. */
export function isStaleToken(error: unknown): boolean {
  if (!(error instanceof EtcdRefusal)) return false;
  return error.code === codes.unauthenticated || staleToken.test(error.message);
}

/** Pause after a round through all members, ms. */
export function pauseMsOf(round: number): number {
  return Math.min(pauseMsMin * 2 ** round, pauseMsMax);
}

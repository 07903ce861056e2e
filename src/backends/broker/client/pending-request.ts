/** A request that waits for the broker's answer, and the messages about it. */

import { LimitError } from '../../../api/errors.ts';
import { encodeParts } from '../../../api/mode.ts';
import type { UnitRange } from '../../../api/units.ts';
import type { RemoteGrant } from '../../../remote/grant.ts';
import type { PendingRequest } from '../../../remote/request-table.ts';
import { countOf, firstOf } from '../../../remote/units.ts';
import { encodeFrame } from '../wire/frames.ts';
import { frameBytesMax } from '../wire/limits.ts';
import type { Ask, ClientMessage, Reclaim, SentUnits } from '../wire/messages.ts';

export interface PendingBrokerRequest extends PendingRequest<undefined> {
  /** When it was made, on the clock, ms. */
  readonly startMs: number;
  /** In the order of arrival at the broker; the next broker restores it. */
  queuePosition: number | undefined;
}

/** `session`: the number by which the broker knows the request's session. */
export function askMessage(
  { request, startMs, queuePosition }: PendingBrokerRequest,
  session: number,
  nowMs: number,
): Ask {
  const { how, set, label, locked, steal, holding, timeoutMs } = request.terms;
  const kept = holding.filter(({ isHeld }) => isHeld).map((grant) => grant.id);
  return {
    do: how,
    parts: encodeParts(set),
    ...(label !== undefined && { label }),
    ...(locked !== undefined && { locked }),
    ...(steal !== undefined && { steal }),
    id: request.id,
    ...(session !== 0 && { session }),
    ...(timeoutMs !== undefined && { timeoutMs: Math.max(0, timeoutMs - (nowMs - startMs)) }),
    ...(kept.length > 0 && { holding: kept }),
    ...(queuePosition !== undefined && { queuePosition }),
  };
}

/** Claims a grant at the next broker. `granted`: the units that it was given. */
export function claimMessage(
  { id, token, label, sinceMs, set, unitsHeld }: RemoteGrant,
  session: number,
  granted: readonly SentUnits[],
): Reclaim {
  const units = granted.flatMap(({ resource, ranges, names, ...rest }): SentUnits[] => {
    const count = countOf(unitsHeld.get(resource) ?? []);
    if (count === 0) return [];
    const kept = firstOf(ranges, count) as readonly UnitRange[];
    return [{ resource, ranges: kept, ...rest, ...(names && { names: names.slice(0, count) }) }];
  });
  return {
    ...{ do: 'reclaim', id, session, token, since: sinceMs },
    ...(label !== undefined && { label }),
    parts: encodeParts(set),
    ...(units.length > 0 && { units }),
  };
}

/** Undefined if it is too long for the broker, even without the names of units. */
export function encodeClaim(claim: Reclaim): string | undefined {
  const { units, ...rest } = claim;
  const unnamed = units?.map(({ names: _, ...each }) => each);
  for (const message of [claim, { ...rest, ...(unnamed && { units: unnamed }) }]) {
    try {
      return encodeMessage(message);
    } catch (error) {
      if (!(error instanceof LimitError)) throw error;
    }
  }
  return undefined;
}

/**
 * Asks for the blockers of a request that waits: they are the blockers of the same request, made
 * now or never.
 */
export function explainMessage(ask: Ask, id: number): Ask {
  const { queuePosition: _, holding: __, steal: ___, ...message } = ask;
  return { ...message, id, timeoutMs: 0 };
}

/** @throws LimitError */
export function encodeMessage(message: ClientMessage): string {
  const frame = encodeFrame(message);
  // No code unit takes more than three bytes.
  if (frame.length * 3 > frameBytesMax && Buffer.byteLength(frame) - 1 > frameBytesMax) {
    throw new LimitError(`a set takes at most ${frameBytesMax} bytes in a message to the broker`);
  }
  return frame;
}

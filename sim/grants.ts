/** Grants as the server of a simulation has given them, for the monitors and the checker. */

export type Mode = 'x' | 's';
export type Links = ReadonlyMap<string, Mode>;

/**
 * The outcome of a grant. `expired`: the server ended its session; `revoked`: a stealing request
 * came; `undone`: a server without that grant took over.
 */
export type GrantOutcome = 'live' | 'ended' | 'expired' | 'revoked' | 'undone';

export interface GrantSeen {
  /** Its token, or a lower bound of it. */
  readonly token: number;
  readonly session: string;
  /** Its place among all grants, in the order in which the server gave them. */
  readonly order: number;
  readonly grantedAtMs: number;
  outcome: GrantOutcome;
  /** It has been taken from its holder, even if a server that took over has it again. */
  wasTaken: boolean;
  /** Its holder has ended it, even if a server that took over has it again. */
  wasEnded: boolean;
}

/** The server's word on grants, and on its own outages. */
export interface GrantMonitor {
  /** Called as a grant is taken from its holder. */
  onTaken: (grant: GrantSeen) => void;
  /** When a server without the last steps took over, in ms of the world. */
  readonly rolledBackAtMs: number;
  /** Whether the server has ended, or stopped, after that moment. */
  isDownSince(momentMs: number): boolean;
}

export function conflict(one: Links, other: Links): boolean {
  for (const [name, mode] of one) {
    const otherMode = other.get(name);
    if (otherMode !== undefined && (mode === 'x' || otherMode === 'x')) return true;
  }
  return false;
}

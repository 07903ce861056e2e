/** The sets of the oracle, and the outcomes of its operations. */

/**
 * Mode of a resource in a set.
 *
 * @since 0.1.0
 */
export type OracleMode = 'exclusive' | 'shared';

/**
 * Resources of a set, by mode.
 *
 * @since 0.1.0
 */
export interface OracleSpec {
  /** Names that it takes exclusive. Default: none. */
  readonly exclusive?: readonly string[];
  /** Names that it takes shared. Default: none. */
  readonly shared?: readonly string[];
  /**
   * Units that it takes of a resource: from 1 to the capacity, on resources that have one; `of`
   * asserts that capacity.
   */
  readonly units?: Readonly<Record<string, OracleUnits>>;
}

/**
 * A number of units, and perhaps the capacity that the resource must have.
 *
 * @since 0.2.0
 */
export type OracleUnits =
  | number
  | {
      /** The number of units. */
      readonly take: number;
      /** The capacity. */
      readonly of: number;
    };

/**
 * Options of an arrival.
 *
 * @since 0.1.0
 */
export interface OracleOptions<Tag = unknown> {
  /** Requested by a synchronous caller: its resources count as locked while it lives. */
  readonly sync?: boolean;
  /** For resources of synchronous callers, as the option of `acquire`. Default 'wait'. */
  readonly locked?: 'wait' | 'fail' | 'ignore';
  /** Granted sets that the caller keeps while this one waits. */
  readonly holding?: readonly OracleSet<Tag>[];
}

/**
 * A live set. It is waiting until it is granted.
 *
 * @since 0.1.0
 */
export interface OracleSet<Tag = unknown> {
  /** The modes that it requests or holds; of an observer, those it waits for. In naming order. */
  modes: ReadonlyMap<string, OracleMode>;
  /** Units of resources of which it takes more than one and not all; `shared` in `modes`. */
  units: ReadonlyMap<string, number>;
  /** Numbers that it has, by resource that had a capacity as it arrived: {@link Oracle.numbers}. */
  numbers: ReadonlyMap<string, readonly number[]>;
  /** Resources that it does not wait for. */
  readonly passedOver: ReadonlySet<string>;
  /** Granted sets that its caller keeps while it waits. */
  readonly holding: readonly OracleSet<Tag>[];
  /** Requested by a synchronous caller. */
  readonly isSync: boolean;
  /** It waits, and blocks no set: see {@link Oracle.observe}. */
  readonly isObserver: boolean;
  /** Whether it is granted; an observer, whether it has seen all it waits for end. */
  granted: boolean;
  /** Data of the oracle's user. */
  tag: Tag | undefined;
}

/**
 * The outcome of an arrival. A set that closes a cycle stays in the list, waiting, until it is
 * removed.
 *
 * @since 0.1.0
 */
export type OracleArrival<Tag = unknown> =
  | {
      /** Whether it is granted, waits, or closes a cycle. */
      readonly outcome: 'granted' | 'waiting' | 'deadlock';
      /** The set that has arrived. */
      readonly set: OracleSet<Tag>;
    }
  | {
      /** A synchronous caller uses a resource; or a capacity is missing, less, or another one. */
      readonly outcome: 'locked' | 'capacity';
    };

/**
 * The outcome of a change of a capacity.
 *
 * @since 0.2.0
 */
export interface OracleResize<Tag = unknown> {
  /** Waiting sets that want more units than there are now. */
  readonly refused: readonly OracleSet<Tag>[];
  /** The newly granted sets, in arrival order. */
  readonly granted: readonly OracleSet<Tag>[];
}

/**
 * The outcome of a steal.
 *
 * @since 0.2.0
 */
export interface OracleSteal<Tag = unknown> {
  /** The stealing set. */
  readonly set: OracleSet<Tag>;
  /** Grants that it revoked. */
  readonly lost: readonly OracleSet<Tag>[];
  /** The stealing set itself, and sets that the lost grants blocked. */
  readonly granted: readonly OracleSet<Tag>[];
}

/** A set that has not arrived yet. */
export function createSet<Tag>(
  { exclusive = [], shared = [], units = {} }: OracleSpec,
  { isSync = false, isObserver = false, holding = [] }: NewSet<Tag>,
): OracleSet<Tag> {
  const modes = new Map<string, OracleMode>();
  for (const name of exclusive) modes.set(name, 'exclusive');
  const more = Object.entries(units)
    .filter(([name]) => !modes.has(name))
    .map(([name, each]) => [name, termsOf(each).take] as const);
  for (const [name] of more) modes.set(name, 'shared');
  for (const name of shared) if (!modes.has(name)) modes.set(name, 'shared');
  const passedOver = new Set<string>();
  return {
    modes,
    units: new Map(more),
    numbers: new Map(),
    passedOver,
    holding,
    isSync,
    isObserver,
    granted: false,
    tag: undefined,
  };
}

interface NewSet<Tag> {
  readonly isSync?: boolean | undefined;
  readonly isObserver?: boolean;
  readonly holding?: readonly OracleSet<Tag>[] | undefined;
}

/** A number of units, and the capacity that it asserts. */
export function termsOf(units: OracleUnits): {
  readonly take: number;
  readonly of: number | undefined;
} {
  return typeof units === 'number' ? { take: units, of: undefined } : units;
}

/**
 * kds/inspect: holders, waiters and the reasons why they wait, from the result of `query()`.
 *
 * Works on the snapshots of every backend, and in browsers.
 */

export type { Mode } from '../api/mode.ts';
export { escaped, printable } from '../runtime/escape.ts';
export {
  durationText,
  type InspectedClient,
  type InspectedEntry,
  type InspectedSnapshot,
  modeOf,
  ownerText,
  pidText,
  setText,
} from './entries.ts';
export { type ExplainOptions, explain } from './explain.ts';
export {
  type Convoy,
  type Findings,
  type FindingsOptions,
  findingsOf,
  type HotResource,
  type OverCapacity,
  type SharedUnit,
  type SuspectedDeadlock,
} from './findings.ts';
export { type WaitGraphOptions, waitGraphAsDot, waitGraphAsMermaid } from './wait-graph.ts';

/**
 * kds/inspect: who holds what, who waits for whom, and why, from what `query()` returns.
 *
 * Works on the snapshots of every host, and in browsers.
 */

export { escaped, shown } from '../runtime/escape.ts';
export {
  durationText,
  type InspectedClient,
  type InspectedEntry,
  type InspectedSnapshot,
  type Mode,
  modeOf,
  pidText,
  setText,
  whoText,
} from './entries.ts';
export { type ExplainOptions, explain } from './explain.ts';
export {
  type Convoy,
  type Findings,
  type FindingsOptions,
  findingsOf,
  type HotResource,
  type SuspectedDeadlock,
} from './findings.ts';
export { type WaitGraphOptions, waitGraphAsDot, waitGraphAsMermaid } from './wait-graph.ts';

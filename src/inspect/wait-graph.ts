/** The wait-for graph, in the languages of Graphviz and of Mermaid. */

import { namesIn } from '../api/mode.ts';
import { escaped, inDot, inMermaid, printable } from '../runtime/escape.ts';
import {
  type InspectedEntry,
  type InspectedSnapshot,
  ownerText,
  printedLengthMax,
  setText,
} from './entries.ts';
import { SnapshotIndex } from './snapshot-index.ts';

/**
 * Options of a wait-for graph.
 *
 * @since 0.1.0
 */
export interface WaitGraphOptions {
  /**
   * Sets that are drawn, at most: the pending ones in arrival order, with their blockers; a note
   * has the number of the others. Default 200.
   */
  readonly entryCountMax?: number | undefined;
}

interface WaitGraph {
  readonly entries: readonly InspectedEntry[];
  readonly edges: readonly { readonly from: number; readonly to: number; readonly text: string }[];
  readonly omittedCount: number;
}

/**
 * Draws the wait-for graph for `dot -Tsvg`: a box for each set, and an arrow from a waiter to each
 * of its direct blockers, with the resource that they conflict on, and the units that the blocker
 * takes where the resource has a capacity. Names may be any text.
 *
 * @param snapshot - The result of `query()`.
 * @param options - A limit of the sets that are drawn.
 * @waits Never.
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { waitGraphAsDot } from 'kds/inspect';
 *
 * console.log(waitGraphAsDot(await createDomain().query())); // digraph waits { ...
 * ```
 * @since 0.1.0
 */
export function waitGraphAsDot(snapshot: InspectedSnapshot, options?: WaitGraphOptions): string {
  const { entries, edges, omittedCount } = waitGraphOf(snapshot, options);
  const nodes = entries.map((entry) => {
    const style = entry.token === undefined ? 'style=dashed' : 'style=bold';
    return `  ${entry.id} [label=${inDot(titleOf(entry))}, ${style}];`;
  });
  const arrows = edges.map(({ from, to, text }) => `  ${from} -> ${to} [label=${inDot(text)}];`);
  const note = omittedCount === 0 ? [] : [`  label=${inDot(`and ${omittedCount} more sets`)};`];
  return ['digraph waits {', '  node [shape=box];', ...note, ...nodes, ...arrows, '}', ''].join(
    '\n',
  );
}

/**
 * Draws the same graph for Mermaid: waiting sets have round corners, held sets have not.
 *
 * @param snapshot - The result of `query()`.
 * @param options - A limit of the sets that are drawn.
 * @waits Never.
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { waitGraphAsMermaid } from 'kds/inspect';
 *
 * console.log(waitGraphAsMermaid(await createDomain().query())); // flowchart TD ...
 * ```
 * @since 0.1.0
 */
export function waitGraphAsMermaid(
  snapshot: InspectedSnapshot,
  options?: WaitGraphOptions,
): string {
  const { entries, edges, omittedCount } = waitGraphOf(snapshot, options);
  const nodes = entries.map((entry) => {
    const [open, close] = entry.token === undefined ? ['(', ')'] : ['[', ']'];
    return `  s${entry.id}${open}${inMermaid(titleOf(entry))}${close}`;
  });
  const arrows = edges.map(({ from, to, text }) => `  s${from} -->|${inMermaid(text)}| s${to}`);
  const note = omittedCount === 0 ? [] : [`  more[${inMermaid(`and ${omittedCount} more sets`)}]`];
  return ['flowchart TD', ...nodes, ...arrows, ...note, ''].join('\n');
}

function waitGraphOf(
  snapshot: InspectedSnapshot,
  { entryCountMax = 200 }: WaitGraphOptions = {},
): WaitGraph {
  const { held, pending } = snapshot;
  const index = new SnapshotIndex(snapshot);
  const chosen = new Map<number, InspectedEntry>();
  const choose = (entry: InspectedEntry | undefined): void => {
    if (entry !== undefined && chosen.size < entryCountMax) chosen.set(entry.id, entry);
  };
  for (const entry of pending) {
    if (chosen.size >= entryCountMax) break;
    choose(entry);
    for (const id of entry.waitingFor) choose(index.byId.get(id));
  }
  for (const entry of held) choose(entry);
  const entries = [...chosen.values()].sort((a, b) => a.id - b.id);
  const edges = entries.flatMap((entry) =>
    entry.waitingFor.flatMap((to) => {
      const blocker = chosen.get(to);
      return blocker === undefined
        ? []
        : { from: entry.id, to, text: conflictText(index, entry, blocker) };
    }),
  );
  return { entries, edges, omittedCount: held.length + pending.length - entries.length };
}

function titleOf(entry: InspectedEntry): string {
  return `${escaped(ownerText(entry))}: ${setText(entry.set)}`;
}

/** A few of the resources that two entries conflict on. */
function conflictText(
  index: SnapshotIndex,
  waiting: InspectedEntry,
  blocker: InspectedEntry,
): string {
  const names = namesIn(waiting.set).filter((name) => index.isBlockedOn(waiting, blocker, name));
  const texts = names.slice(0, 3).map((name) => {
    const text = printable(name, printedLengthMax);
    const { capacity } = index.capacities.get(name) ?? {};
    if (capacity === undefined) return text;
    return `${text} (${index.unitsOf(blocker, name)} of ${capacity})`;
  });
  return names.length > texts.length ? `${texts.join(', ')}, …` : texts.join(', ');
}

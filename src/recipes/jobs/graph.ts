/**
 * Jobs and why one waits for another, as plain data, and as text for DOT and Mermaid.
 *
 * On each resource an edge leads from the nearest ones before that conflict: from the last writer
 * to those who read after it, from these, or from the writer, to the next writer. All other orders
 * follow from those.
 */

import type { ResourceRef } from '../../api/sets.ts';
import { inDot, inMermaid } from '../../runtime/escape.ts';
import { type JobState, keyOf, type QueueJob } from './queue-job.ts';
import { listOf } from './spec.ts';

export interface GraphJob {
  readonly id: number;
  readonly label: string | undefined;
  readonly state: JobState;
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** The job that it is a sub-job of. */
  readonly parent: number | undefined;
}

/** `to` waits for `from`. */
export interface GraphEdge {
  readonly from: number;
  readonly to: number;
  /** Declared by `after`; or a resource that one writes and the other reads or writes. */
  readonly kind: 'after' | 'write-read' | 'read-write' | 'write-write';
  /** The resource; undefined for `after`. One without a name is told as `#` and a number. */
  readonly resource: string | undefined;
}

export interface JobGraph {
  readonly jobs: readonly GraphJob[];
  readonly edges: readonly GraphEdge[];
}

/**
 * Two jobs that conflict, and of which the first one comes first only as it was submitted first.
 */
export interface UnorderedPair {
  readonly first: number;
  readonly second: number;
  readonly kind: GraphEdge['kind'];
  readonly resource: string;
}

/** Names of resources, those without one numbered as they come. */
class Names {
  readonly #numbers = new Map<ResourceRef, number>();

  of(ref: ResourceRef): string {
    const key = keyOf(ref);
    if (typeof key === 'string') return key;
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#numbers.size + 1;
      this.#numbers.set(key, number);
    }
    return `#${number}`;
  }
}

export function graphOf(jobs: readonly QueueJob[]): JobGraph {
  const names = new Names();
  const told = jobs.map((job): GraphJob => {
    return {
      id: job.id,
      label: job.label,
      state: job.state,
      reads: listOf(job.reads).map((ref) => names.of(ref)),
      writes: listOf(job.writes).map((ref) => names.of(ref)),
      parent: job.family.lender?.id,
    };
  });
  return { jobs: told, edges: edgesOf(jobs, names) };
}

/** Jobs in the order of submission within each family. */
function edgesOf(jobs: readonly QueueJob[], names: Names): GraphEdge[] {
  const edges: GraphEdge[] = [];
  const uses = new Map<unknown, Map<ResourceRef, Use>>();
  for (const job of jobs) {
    const to = job.id;
    for (const { id, isLive } of job.rare?.after ?? []) {
      if (isLive) edges.push({ from: id, to, kind: 'after', resource: undefined });
    }
    let ofFamily = uses.get(job.family);
    if (ofFamily === undefined) {
      ofFamily = new Map();
      uses.set(job.family, ofFamily);
    }
    const writes = new Set(listOf(job.writes).map(keyOf));
    const reads = new Set(
      listOf(job.reads)
        .map(keyOf)
        .filter((key) => !writes.has(key)),
    );
    for (const key of writes) write(edges, useOf(ofFamily, key), to, names.of(key));
    for (const key of reads) read(edges, useOf(ofFamily, key), to, names.of(key));
  }
  return edges;
}

/** Who wrote a resource last, and who has read it since. */
interface Use {
  writer: number | undefined;
  readers: number[];
}

function useOf(uses: Map<ResourceRef, Use>, key: ResourceRef): Use {
  let use = uses.get(key);
  if (use === undefined) {
    use = { writer: undefined, readers: [] };
    uses.set(key, use);
  }
  return use;
}

function read(edges: GraphEdge[], use: Use, to: number, resource: string): void {
  use.readers.push(to);
  if (use.writer !== undefined) edges.push({ from: use.writer, to, kind: 'write-read', resource });
}

function write(edges: GraphEdge[], use: Use, to: number, resource: string): void {
  const { writer, readers } = use;
  use.writer = to;
  use.readers = [];
  for (const from of readers) edges.push({ from, to, kind: 'read-write', resource });
  if (readers.length > 0 || writer === undefined) return;
  edges.push({ from: writer, to, kind: 'write-write', resource });
}

/** See {@link JobQueue.check}. */
export function findUnordered(jobs: readonly QueueJob[]): UnorderedPair[] {
  const byId = new Map(jobs.map((job) => [job.id, job]));
  const pairs: UnorderedPair[] = [];
  for (const { from, to, kind, resource } of edgesOf(jobs, new Names())) {
    if (resource === undefined || comesAfter(byId, to, from)) continue;
    pairs.push({ first: from, second: to, kind, resource });
  }
  return pairs;
}

/** Whether a way of `after` leads back from one job to another: each is later than the next. */
function comesAfter(byId: ReadonlyMap<number, QueueJob>, late: number, early: number): boolean {
  const seen = new Set<number>();
  const open = [late];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    for (const before of byId.get(id)?.rare?.after ?? []) {
      if (before.id === early) return true;
      if (before.id < early || seen.has(before.id)) continue;
      seen.add(before.id);
      open.push(before.id);
    }
  }
  return false;
}

/** A graph in the language of Graphviz: `dot -Tsvg`. */
export function graphAsDot({ jobs, edges }: JobGraph): string {
  const lines = jobs.map((job) => `  ${job.id} [label=${inDot(titleOf(job))}];`);
  for (const { from, to, resource } of edges) {
    const style = resource === undefined ? 'style=bold' : `label=${inDot(resource)}`;
    lines.push(`  ${from} -> ${to} [${style}];`);
  }
  return ['digraph jobs {', '  node [shape=box];', ...lines, '}', ''].join('\n');
}

/** A graph in the language of Mermaid. */
export function graphAsMermaid({ jobs, edges }: JobGraph): string {
  const lines = jobs.map((job) => `  j${job.id}[${inMermaid(titleOf(job))}]`);
  for (const { from, to, resource } of edges) {
    const arrow = resource === undefined ? '==>' : `-->|${inMermaid(resource)}|`;
    lines.push(`  j${from} ${arrow} j${to}`);
  }
  return ['flowchart TD', ...lines, ''].join('\n');
}

function titleOf({ id, label }: GraphJob): string {
  return label === undefined ? `job ${id}` : `${id}: ${label}`;
}

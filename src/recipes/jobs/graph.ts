/**
 * Jobs and the reasons why one waits for another, as plain data, and as text for DOT and Mermaid.
 *
 * On each resource an edge joins a job to the nearest earlier jobs that it conflicts with: the last
 * writer to the readers after it; these readers, or else the writer, to the next writer. All other
 * orders follow from those. A job that takes units is one of the readers, and has an edge from the
 * one ahead of it that takes some: whether it waits for that one depends on the capacity.
 */

import type { ResourceRef } from '../../api/sets.ts';
import { takenOf } from '../../api/units.ts';
import { inDot, inMermaid } from '../../runtime/escape.ts';
import type { JobState } from './job.ts';
import type { QueueJob } from './queue-job.ts';
import { keyOf, listOf } from './spec.ts';

/**
 * A job in a {@link JobGraph}.
 *
 * @since 0.1.0
 */
export interface GraphJob {
  /** See {@link Job.id}. */
  readonly id: number;
  /** See {@link Job.label}. */
  readonly label: string | undefined;
  /** State of the job when the graph was made. */
  readonly state: JobState;
  /** Resources that the job reads: names, or `#` and a number for a resource without a name. */
  readonly reads: readonly string[];
  /** Resources that the job writes, named likewise. */
  readonly writes: readonly string[];
  /**
   * Units that the job takes, by resource, named likewise; absent without any.
   *
   * @since 0.2.0
   */
  readonly units?: Readonly<Record<string, number>>;
  /** Id of the job whose sub-job this is; undefined for a job of the queue itself. */
  readonly parent: number | undefined;
}

/**
 * A reason why one job waits for another: `to` waits for `from`.
 *
 * @since 0.1.0
 */
export interface GraphEdge {
  /** Id of the earlier job. */
  readonly from: number;
  /** Id of the later job. */
  readonly to: number;
  /**
   * Declared by `after`; or a resource that one writes and the other reads or writes, or of which
   * both take units: then `to` is behind `from` in line, and waits if too few units are left.
   * Otherwise a job that takes units counts as one that reads.
   */
  readonly kind: 'after' | 'write-read' | 'read-write' | 'write-write' | 'units';
  /** The resource; undefined for `after`. `#` and a number for a resource without a name. */
  readonly resource: string | undefined;
}

/**
 * The jobs of a queue that have not ended, and the edges between them: plain data, for JSON.
 *
 * @since 0.1.0
 */
export interface JobGraph {
  /** In the order of submission, each job before its sub-jobs. */
  readonly jobs: readonly GraphJob[];
  /** On each resource an edge joins a job to the nearest earlier jobs that it conflicts with. */
  readonly edges: readonly GraphEdge[];
}

/**
 * Two jobs of which one writes a resource that the other uses, and whose order only their
 * submission determines.
 *
 * @since 0.1.0
 */
export interface UnorderedPair {
  /** Id of the job that was submitted first. */
  readonly first: number;
  /** Id of the other job. */
  readonly second: number;
  /** The use of the resource by the first job, and by the second. */
  readonly kind: GraphEdge['kind'];
  /** The resource that both use; `#` and a number for a resource without a name. */
  readonly resource: string;
}

/** Names of resources. Those without a name are numbered in order of appearance. */
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
  const nodes = jobs.map((job): GraphJob => {
    const units = [...(job.spec.units ?? [])].map(([ref, taken]) => [
      names.of(ref),
      takenOf(taken),
    ]);
    // Of a name and its handle the greater number is first.
    units.reverse();
    return {
      id: job.id,
      label: job.label,
      state: job.state,
      reads: listOf(job.spec.reads).map((ref) => names.of(ref)),
      writes: listOf(job.spec.writes).map((ref) => names.of(ref)),
      ...(units.length > 0 && { units: Object.fromEntries(units) }),
      parent: job.scope.parent?.id,
    };
  });
  return { jobs: nodes, edges: edgesOf(jobs, names) };
}

/** `jobs` are in the order of submission within each scope. */
function edgesOf(jobs: readonly QueueJob[], names: Names): GraphEdge[] {
  const edges: GraphEdge[] = [];
  const uses = new Map<unknown, Map<ResourceRef, Use>>();
  for (const job of jobs) {
    const to = job.id;
    for (const { id, isLive } of job.rare?.after ?? []) {
      if (isLive) edges.push({ from: id, to, kind: 'after', resource: undefined });
    }
    let ofScope = uses.get(job.scope);
    if (ofScope === undefined) {
      ofScope = new Map();
      uses.set(job.scope, ofScope);
    }
    const writes = new Set(listOf(job.spec.writes).map(keyOf));
    const isNotWritten = (key: ResourceRef): boolean => !writes.has(key);
    const taken = new Set([...(job.spec.units?.keys() ?? [])].map(keyOf).filter(isNotWritten));
    const reads = new Set([...taken, ...listOf(job.spec.reads).map(keyOf).filter(isNotWritten)]);
    for (const key of writes) write(edges, useOf(ofScope, key), to, names.of(key));
    for (const key of reads) read(edges, useOf(ofScope, key), to, names.of(key));
    for (const key of taken) take(edges, useOf(ofScope, key), to, names.of(key));
  }
  return edges;
}

/** The last writer of a resource; the readers since, and the last of them that takes units. */
interface Use {
  writer: number | undefined;
  readers: number[];
  taker: number | undefined;
}

function useOf(uses: Map<ResourceRef, Use>, key: ResourceRef): Use {
  let use = uses.get(key);
  if (use === undefined) {
    use = { writer: undefined, readers: [], taker: undefined };
    uses.set(key, use);
  }
  return use;
}

function read(edges: GraphEdge[], use: Use, to: number, resource: string): void {
  use.readers.push(to);
  if (use.writer !== undefined) edges.push({ from: use.writer, to, kind: 'write-read', resource });
}

/** After {@link read}. */
function take(edges: GraphEdge[], use: Use, to: number, resource: string): void {
  if (use.taker !== undefined) edges.push({ from: use.taker, to, kind: 'units', resource });
  use.taker = to;
}

function write(edges: GraphEdge[], use: Use, to: number, resource: string): void {
  const { writer, readers } = use;
  use.writer = to;
  use.readers = [];
  use.taker = undefined;
  for (const from of readers) edges.push({ from, to, kind: 'read-write', resource });
  if (readers.length > 0 || writer === undefined) return;
  edges.push({ from: writer, to, kind: 'write-write', resource });
}

/** See {@link JobQueue.check}. */
export function findUnordered(jobs: readonly QueueJob[]): UnorderedPair[] {
  const byId = new Map(jobs.map((job) => [job.id, job]));
  const pairs: UnorderedPair[] = [];
  for (const { from, to, kind, resource } of edgesOf(jobs, new Names())) {
    if (resource === undefined || kind === 'units' || comesAfter(byId, to, from)) continue;
    pairs.push({ first: from, second: to, kind, resource });
  }
  return pairs;
}

/** Whether a path of `after` leads from a job to an earlier one: each step goes back in time. */
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

/**
 * Converts a graph to the language of Graphviz, for `dot -Tsvg`. Names may be any text.
 *
 * @param graph - The result of {@link JobQueue.graph}.
 * @waits Never.
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { createJobQueue, graphAsDot } from 'kds/jobs';
 *
 * const queue = createJobQueue(createDomain());
 * queue.submit({ writes: 'a', run: () => {} });
 * console.log(graphAsDot(queue.graph())); // digraph jobs { ...
 * await queue.drain();
 * ```
 * @since 0.1.0
 */
export function graphAsDot({ jobs, edges }: JobGraph): string {
  const lines = jobs.map((job) => `  ${job.id} [label=${inDot(titleOf(job))}];`);
  for (const { from, to, resource } of edges) {
    const style = resource === undefined ? 'style=bold' : `label=${inDot(resource)}`;
    lines.push(`  ${from} -> ${to} [${style}];`);
  }
  return ['digraph jobs {', '  node [shape=box];', ...lines, '}', ''].join('\n');
}

/**
 * Converts a graph to the language of Mermaid: a flowchart. Names may be any text.
 *
 * @param graph - The result of {@link JobQueue.graph}.
 * @waits Never.
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { createJobQueue, graphAsMermaid } from 'kds/jobs';
 *
 * const queue = createJobQueue(createDomain());
 * queue.submit({ writes: 'a', run: () => {} });
 * console.log(graphAsMermaid(queue.graph())); // flowchart TD ...
 * await queue.drain();
 * ```
 * @since 0.1.0
 */
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

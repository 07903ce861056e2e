/** What a queue tells of its jobs, and what its check finds. */

import { createDomain } from 'kds';
import { createJobQueue, graphAsDot, graphAsMermaid, type JobQueue } from 'kds/jobs';
import { describe, expect, it } from 'vitest';

const run = (): void => {};

function buildQueue(): JobQueue {
  const queue = createJobQueue(createDomain(), { isPaused: true });
  const fetch = queue.submit({ writes: 'src', label: 'fetch', run });
  const lint = queue.submit({ reads: 'src', label: 'lint', after: fetch, run });
  const build = queue.submit({ reads: 'src', writes: 'out', label: 'build', run });
  queue.submit({ writes: 'src', label: 'clean "all"', after: [lint, build], run });
  queue.submit({ writes: ['out', 'log'], reads: 'log', run });
  return queue;
}

describe('the graph of a queue', () => {
  it('has an edge from the nearest conflicting jobs, and from those of after', async () => {
    const queue = buildQueue();
    const { jobs, edges } = queue.graph();
    expect(jobs.map(({ id, label, reads, writes }) => [id, label, reads, writes])).toEqual([
      [1, 'fetch', [], ['src']],
      [2, 'lint', ['src'], []],
      [3, 'build', ['src'], ['out']],
      [4, 'clean "all"', ['src'].slice(1), ['src']],
      [5, undefined, ['log'], ['out', 'log']],
    ]);
    expect(edges.map(({ from, to, kind, resource }) => [from, to, kind, resource])).toEqual([
      [1, 2, 'after', undefined],
      [1, 2, 'write-read', 'src'],
      [1, 3, 'write-read', 'src'],
      [2, 4, 'after', undefined],
      [3, 4, 'after', undefined],
      [2, 4, 'read-write', 'src'],
      [3, 4, 'read-write', 'src'],
      [3, 5, 'write-write', 'out'],
    ]);
    expect(JSON.parse(JSON.stringify({ jobs, edges })).jobs).toHaveLength(5);
    queue.resume();
    await queue.drain();
    expect(queue.graph()).toEqual({ jobs: [], edges: [] });
  });

  it('can be given to Graphviz and to Mermaid, whatever the names are', () => {
    const graph = buildQueue().graph();
    expect(graphAsDot(graph)).toContain('4 [label="4: clean \\"all\\""];');
    expect(graphAsDot(graph)).toContain('3 -> 5 [label="out"];');
    expect(graphAsDot(graph)).toContain('1 -> 2 [style=bold];');
    expect(graphAsMermaid(graph)).toContain('j4["4: clean #34;all#34;"]');
    expect(graphAsMermaid(graph)).toContain('j1 ==> j2');
    expect(graphAsMermaid(graph)).toContain('j3 -->|"out"| j5');
  });

  it('shows sub-jobs under their parents, and resources without a name by number', async () => {
    const domain = createDomain();
    const queue = createJobQueue(domain);
    const handle = domain.resource();
    const graph = await queue.submit({
      writes: handle,
      run: (job) => {
        job.submit({ writes: handle, run });
        job.submit({ reads: handle, run });
        return queue.graph();
      },
    }).done;
    expect(graph.jobs.map(({ id, parent, writes }) => [id, parent, writes])).toEqual([
      [1, undefined, ['#1']],
      [2, 1, ['#1']],
      [3, 1, []],
    ]);
    expect(graph.edges).toEqual([{ from: 2, to: 3, kind: 'write-read', resource: '#1' }]);
  });

  it('is checked for pairs that only submission orders', () => {
    const queue = buildQueue();
    expect(queue.check()).toEqual([
      { first: 1, second: 3, kind: 'write-read', resource: 'src' },
      { first: 3, second: 5, kind: 'write-write', resource: 'out' },
    ]);
  });

  it('has no pair where a path of several steps leads back', () => {
    const queue = createJobQueue(createDomain(), { isPaused: true });
    const first = queue.submit({ writes: 'a', run });
    const middle = queue.submit({ after: first, run });
    queue.submit({ reads: 'a', after: middle, run });
    expect(queue.check()).toEqual([]);
    queue.submit({ writes: 'a', after: middle, run });
    expect(queue.check()).toEqual([{ first: 3, second: 4, kind: 'read-write', resource: 'a' }]);
  });
});

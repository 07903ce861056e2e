/** Jobs that take units of a resource with a capacity: as many at once as there are, in order. */

import { createDomain } from 'kds';
import { createJobQueue, graphAsDot, type RunningJob } from 'kds/jobs';
import { describe, expect, it } from 'vitest';
import { backends, failureOf, Gate, nothing, turn } from './domains.ts';

const gpus = ['gpu0', 'gpu1', 'gpu2', 'gpu3'];
const quiet = { onFailure: (): void => {} };
const withUnits = backends.filter(([, open]) => open().capabilities.has('units'));

it('backends with units are among those that jobs are tested on', () => {
  expect(withUnits.map(([name]) => name)).toContain('process');
});

describe.each(withUnits)('jobs with units on the backend %s', (_, openDomain) => {
  const open = () => {
    const domain = openDomain();
    domain.setCapacity('gpu', gpus);
    return domain;
  };
  const leftIn = (domain: ReturnType<typeof open>) => {
    const { held, pending } = domain.querySync();
    expect({ held, pending }).toEqual(nothing);
    expect(domain.capacity('gpu')?.taken).toBe(0);
  };

  it('run as many at once as their units allow, in the order of submission', async () => {
    const domain = open();
    const queue = createJobQueue(domain);
    const gate = new Gate();
    const started: unknown[] = [];
    const run = async ({ label, units }: RunningJob): Promise<void> => {
      started.push([label, units['gpu']]);
      await gate.passed;
    };
    queue.submit({ units: { gpu: 2 }, label: 'a', run });
    queue.submit({ units: { gpu: 1 }, label: 'b', run });
    queue.submit({ units: { gpu: 2 }, label: 'c', run });
    // There is room for it, and it is behind c all the same.
    queue.submit({ units: { gpu: 1 }, label: 'd', run });
    await turn();
    expect(started).toEqual([
      ['a', ['gpu0', 'gpu1']],
      ['b', ['gpu2']],
    ]);
    gate.open();
    await queue.drain();
    expect(started.slice(2)).toEqual([
      ['c', expect.toSatisfy((units: readonly string[]) => units.length === 2)],
      ['d', expect.toSatisfy((units: readonly string[]) => units.length === 1)],
    ]);
    leftIn(domain);
  });

  it('take units together with what they read and write, all or nothing', async () => {
    const domain = open();
    const queue = createJobQueue(domain);
    const model = domain.acquireSync({ exclusive: 'model' });
    const job = queue.submit({
      reads: 'model',
      writes: 'weights',
      units: { gpu: { take: 4, of: 4 } },
      run: (own) => [own.covers({ shared: 'model', exclusive: 'weights' }), own.units['gpu']],
    });
    await turn();
    expect(job.state).toBe('enqueued');
    model.release();
    expect(await job.done).toEqual([true, gpus]);
    leftIn(domain);
  });

  it('cover as many units as they have declared, and no more', async () => {
    const domain = open();
    const queue = createJobQueue(domain);
    const handle = domain.resource('gpu');
    const set = domain.prepare({ units: { gpu: 2 } });
    const covered = (job: RunningJob): boolean[] => [
      job.covers({ units: { gpu: 2 } }),
      job.covers({ units: new Map([[handle, 1]]) }),
      job.covers({ shared: 'gpu' }),
      job.covers(set),
      job.covers({ units: { gpu: 3 } }),
      job.covers({ exclusive: 'gpu' }),
      job.covers({ units: { ram: 1 } }),
    ];
    const job = queue.submit({ units: new Map([['gpu', 2]]), run: covered });
    expect(await job.done).toEqual([true, true, true, true, false, false, false]);
    const writer = queue.submit({ writes: 'gpu', units: { gpu: 1 }, run: covered });
    expect(await writer.done).toEqual([true, true, true, true, true, true, false]);
  });

  it('are enqueued, also with units only', async () => {
    const domain = open();
    const queue = createJobQueue(domain);
    const job = queue.submit({ units: { gpu: 4 }, run: () => {} });
    await job.enqueued;
    expect(job.enqueued).toBeInstanceOf(Promise);
    await queue.drain();
    expect(queue.submit({ units: {}, run: () => {} }).enqueued).toBeUndefined();
    await queue.drain();
  });

  it('delegate their units to sub-jobs, which have the same ones', async () => {
    const domain = open();
    const other = domain.acquireSync({ units: { gpu: 1 } });
    const queue = createJobQueue(domain);
    const seen: unknown[] = [];
    let runningCount = 0;
    const run = async ({ units }: RunningJob): Promise<void> => {
      runningCount++;
      expect(runningCount).toBeLessThanOrEqual(2);
      seen.push(units['gpu']);
      await turn();
      runningCount--;
    };
    const parent = queue.submit({
      units: { gpu: 2 },
      run: async (job) => {
        const each = [1, 1, 2].map((gpu) => job.submit({ units: { gpu }, run }).done);
        each.push(job.submit({ reads: 'gpu', run }).done);
        await Promise.all(each);
        return job.submit({
          units: { gpu: 2 },
          run: (sub) => sub.submit({ units: { gpu: 2 }, run: ({ units }) => units }).done,
        }).done;
      },
    });
    expect(await parent.done).toEqual({ gpu: ['gpu1', 'gpu2'] });
    expect(seen).toEqual([['gpu1'], ['gpu2'], ['gpu1', 'gpu2'], ['gpu1']]);
    other.release();
    leftIn(domain);
  });

  it('request more units than they delegate from the domain', async () => {
    const domain = open();
    const queue = createJobQueue(domain, quiet);
    const parent = queue.submit({
      units: { gpu: 1 },
      run: async (job) => {
        const two = await job.submit({ units: { gpu: 2 }, run: ({ units }) => units }).done;
        expect(() => job.submit({ units: { gpu: 4 }, run: () => {} })).toThrow(
          expect.objectContaining({ code: 'KDS_DEADLOCK' }),
        );
        return two;
      },
    });
    expect(await parent.done).toEqual({ gpu: ['gpu1', 'gpu2'] });
    leftIn(domain);
  });

  it('of a writer are not shared out among its sub-jobs', async () => {
    const domain = open();
    const queue = createJobQueue(domain);
    const parent = queue.submit({
      writes: 'gpu',
      run: (job) => {
        expect(() => job.submit({ units: { gpu: 1 }, run: () => {} })).toThrow(
          expect.objectContaining({ code: 'KDS_DEADLOCK' }),
        );
        return job.submit({ writes: 'gpu', run: (sub) => sub.covers({ exclusive: 'gpu' }) }).done;
      },
    });
    expect(await parent.done).toBe(true);
    leftIn(domain);
  });

  it('that can never be granted are refused, or fail as the capacity shrinks', async () => {
    const domain = open();
    const queue = createJobQueue(domain, quiet);
    expect(() => queue.submit({ units: { gpu: 5 }, run: () => {} })).toThrow('has 4 units');
    expect(() => queue.submit({ units: { ram: 1 }, run: () => {} })).toThrow('has no capacity');
    expect(queue.size).toBe(0);
    const held = domain.acquireSync({ units: { gpu: 1 } });
    const waiting = queue.submit({ units: { gpu: 4 }, run: () => {} });
    domain.setCapacity('gpu', gpus.slice(0, 2));
    expect(await failureOf(waiting.done)).toMatchObject({ code: 'KDS_CAPACITY' });
    held.release();
    leftIn(domain);
  });

  it('wait for room in the ring with their units', async () => {
    const domain = open();
    const queue = createJobQueue(domain, { capacity: 1 });
    const run = ({ units }: RunningJob): unknown => units['gpu'];
    const jobs = [1, 2].map((gpu) => queue.submit({ units: { gpu }, run }));
    expect(await jobs[1]?.done).toEqual(['gpu0', 'gpu1']);
    leftIn(domain);
  });
});

describe('the units of a job', () => {
  it.each<[unknown, string]>([
    [5, 'InvalidSetError'],
    [['gpu'], 'InvalidSetError'],
    [{ gpu: 0 }, 'RangeError'],
    [{ gpu: 1.5 }, 'RangeError'],
    [{ gpu: '1' }, 'TypeError'],
    [{ gpu: { take: 1 } }, 'TypeError'],
    [new Map([[{}, 1]]), 'InvalidSetError'],
  ])('are refused: %j', (units, name) => {
    const domain = createDomain({ capacity: { gpu: 4 } });
    const queue = createJobQueue(domain);
    const submit = (): unknown => queue.submit({ units: units as never, run: () => {} });
    expect(submit).toThrow(expect.objectContaining({ name }));
    expect(queue.size).toBe(0);
    queue.pause();
  });

  it('are in the graph, and an order by units only is no unordered pair', async () => {
    const domain = createDomain({ capacity: { gpu: 2 } });
    const queue = createJobQueue(domain, { isPaused: true });
    const run = (): void => {};
    queue.submit({ units: { gpu: 1 }, run });
    queue.submit({ units: { gpu: 2 }, reads: 'gpu', run });
    queue.submit({ writes: 'gpu', run });
    queue.submit({ units: { gpu: 1 }, run });
    const graph = queue.graph();
    expect(graph.jobs.map(({ units }) => units)).toEqual([
      { gpu: 1 },
      { gpu: 2 },
      undefined,
      { gpu: 1 },
    ]);
    expect(graph.edges.map(({ from, to, kind }) => [from, to, kind])).toEqual([
      [1, 2, 'units'],
      [1, 3, 'read-write'],
      [2, 3, 'read-write'],
      [3, 4, 'write-read'],
    ]);
    expect(graphAsDot(graph)).toContain('1 -> 2 [label="gpu"];');
    expect(queue.check().map(({ first, second }) => [first, second])).toEqual([
      [1, 3],
      [2, 3],
      [3, 4],
    ]);
    queue.resume();
    await queue.drain();
  });

  it('of a name and its handle are the greater number', async () => {
    const domain = createDomain({ capacity: { gpu: 4 } });
    const queue = createJobQueue(domain);
    const units = new Map([['gpu', 1] as const, [domain.resource('gpu'), 3] as const] as [
      string,
      number,
    ][]);
    const job = queue.submit({
      units,
      run: (job) => {
        expect(queue.graph().jobs[0]?.units).toEqual({ gpu: 3 });
        expect(job.covers({ units: { gpu: 3 } })).toBe(true);
        return job.submit({ units, run: (sub) => sub.units['gpu'] }).done;
      },
    });
    expect(await job.done).toEqual([0, 1, 2]);
  });
});

/** Metrics, as an OpenTelemetry reader and as Prometheus see them. */

import { readFileSync } from 'node:fs';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { createDomain } from 'kds';
import { recordMetrics } from 'kds/inspect/otel';
import { describe, expect, it } from 'vitest';
import { serveMetrics } from '../../src/inspect/prometheus.ts';

const documented = readFileSync(new URL('../../docs/observability.md', import.meta.url), 'utf8');

/** One holds, one waits and gets it, one waits in vain, one loses it; two stay as they are. */
async function happenings(): Promise<() => Promise<void>> {
  const domain = createDomain({ label: 'shop' });
  const one = await domain.acquire({ exclusive: 'a', shared: 'b' });
  const two = domain.acquire({ exclusive: 'a' });
  await domain.acquire({ shared: 'a' }, { timeoutMs: 1 }).catch(() => undefined);
  await domain.tryAcquire({ shared: 'a' });
  one.release();
  await two;
  await domain.acquire({ exclusive: 'a' }, { steal: true });
  domain.acquire({ shared: 'a' }).catch(() => undefined);
  return () => domain.close();
}

/** Three of four units are held, and one set waits; ram was asserted, and is idle again. */
async function poolHappenings(): Promise<() => Promise<void>> {
  const domain = createDomain({ label: 'shop', capacity: { gpu: 2 } });
  domain.setCapacity('gpu', 4);
  const all = domain.acquireSync({ exclusive: 'gpu' });
  const two = domain.acquire({ units: { gpu: 2, ram: { take: 3, of: 8 } } });
  domain.acquire({ units: { gpu: 3 } }).catch(() => undefined);
  all.downgrade({ units: { gpu: 3 } });
  all.downgrade({ units: { gpu: 1 } });
  await (await two).run({ units: { gpu: 1 } }, () => undefined);
  (await two).release('ram');
  domain.acquireSync({ exclusive: 'db' });
  return () => domain.close();
}

/** More resources with a capacity than are counted. */
function tooMany(): () => Promise<void> {
  const domain = createDomain({ label: 'shop' });
  for (let index = 0; index < 150; index++) domain.setCapacity(`pool ${index}`, 2);
  for (let index = 0; index < 150; index++) domain.acquireSync({ exclusive: `pool ${index}` });
  return () => domain.close();
}

async function read(text: string): Promise<string> {
  return (await fetch(text)).text();
}

describe('metrics by OpenTelemetry', () => {
  it('count held and waiting sets, durations, and time-outs', async () => {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1e8 });
    const meterProvider = new MeterProvider({ readers: [reader] });
    const stop = recordMetrics({ meterProvider, attributes: () => ({ tier: 'test' }) });
    const end = await happenings();
    /** Of each metric its unit, and its points by their attributes. */
    const collect = async (): Promise<Record<string, unknown>> => {
      exporter.reset();
      await meterProvider.forceFlush();
      const [scope] = exporter.getMetrics().at(-1)?.scopeMetrics ?? [];
      const told = (scope?.metrics ?? []).map(({ descriptor: { name, unit }, dataPoints }) => {
        const points = dataPoints.map(({ attributes, value }) => {
          const { 'kds.mode': mode, 'kds.outcome': outcome, 'kds.cause': cause } = attributes;
          expect(attributes).toMatchObject({
            'kds.backend': 'process',
            'kds.domain': 'shop',
            tier: 'test',
          });
          const count = typeof value === 'number' ? value : value.count;
          return [String(mode ?? outcome ?? cause ?? ''), count];
        });
        return [`${name} ${unit}`, Object.fromEntries(points)];
      });
      return Object.fromEntries(told);
    };
    const collected = await collect();
    for (const name of Object.keys(collected)) {
      expect(documented).toContain(`\`${name.split(' ')[0]}\``);
    }
    expect(collected).toEqual({
      'kds.grant.count {grant}': { exclusive: 1, mixed: 0 },
      'kds.grant.pending_requests {request}': { exclusive: 0, shared: 1 },
      'kds.grant.timeouts {timeout}': { '': 1 },
      'kds.grant.wait_time s': { granted: 3, 'timed-out': 1, denied: 1 },
      'kds.grant.use_time s': { '': 2 },
      'kds.grant.lost {grant}': { stolen: 1 },
    });
    stop();
    expect(await collect()).toMatchObject({
      'kds.grant.count {grant}': { exclusive: 0, mixed: 0 },
      'kds.grant.pending_requests {request}': { exclusive: 0, shared: 0 },
    });
    await end();
    await meterProvider.shutdown();
  });
});

describe('metrics of resources with a capacity, by OpenTelemetry', () => {
  const counts = ['capacity', 'taken', 'waiting'] as const;

  async function collectPools(run: () => Promise<() => Promise<void>> | (() => Promise<void>)) {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1e8 });
    const meterProvider = new MeterProvider({ readers: [reader] });
    const stop = recordMetrics({ meterProvider });
    const collect = async (): Promise<Record<string, Record<string, unknown>>> => {
      exporter.reset();
      await meterProvider.forceFlush();
      const [scope] = exporter.getMetrics().at(-1)?.scopeMetrics ?? [];
      const found = counts.map((count) => {
        const name = `kds.resource.${count}`;
        expect(documented).toContain(`\`${name}\``);
        const metric = scope?.metrics.find(({ descriptor }) => descriptor.name === name);
        const points = (metric?.dataPoints ?? []).map(({ attributes, value }) => {
          expect(attributes).toMatchObject({ 'kds.backend': 'process', 'kds.domain': 'shop' });
          return [String(attributes['kds.resource']), value] as const;
        });
        return [count, Object.fromEntries(points)] as const;
      });
      return Object.fromEntries(found);
    };
    const end = await run();
    const during = await collect();
    stop();
    const after = await collect();
    await end();
    await meterProvider.shutdown();
    return { during, after };
  }

  it('count units, those that are held, and sets that wait, and end at 0', async () => {
    const { during, after } = await collectPools(poolHappenings);
    expect(during).toEqual({
      capacity: { gpu: 4, ram: 0 },
      taken: { gpu: 3, ram: 0 },
      waiting: { gpu: 1, ram: 0 },
    });
    expect(after).toEqual({
      capacity: { gpu: 0, ram: 0 },
      taken: { gpu: 0, ram: 0 },
      waiting: { gpu: 0, ram: 0 },
    });
  });

  it('have the first 100 resources', async () => {
    const { during } = await collectPools(() => tooMany());
    for (const count of ['capacity', 'taken'] as const) {
      expect(Object.keys(during[count] ?? {})).toHaveLength(100);
    }
  });
});

describe('metrics for Prometheus', () => {
  it('have the units of resources with a capacity', async () => {
    const metrics = await serveMetrics(0);
    const end = await poolHappenings();
    const text = await read(metrics.url);
    expect(text.split('\n')).toEqual(
      expect.arrayContaining([
        'kds_resource_capacity{resource="gpu"} 4',
        'kds_resource_taken{resource="gpu"} 3',
        'kds_resource_waiting{resource="gpu"} 1',
        'kds_resource_capacity{resource="ram"} 0',
      ]),
    );
    expect(text).not.toContain('"db"');
    await end();
    await metrics.close();
  });

  it('are served on loopback, in its format, without the names of resources', async () => {
    const metrics = await serveMetrics(0);
    const end = await happenings();
    const text = await read(metrics.url);
    expect(text.split('\n')).toEqual(
      expect.arrayContaining([
        'kds_grants{mode="exclusive"} 1',
        'kds_grant_pending_requests{mode="shared"} 1',
        'kds_grant_timeouts_total 1',
        'kds_grant_wait_time_seconds_count{outcome="granted"} 3',
        'kds_grant_use_time_seconds_count 2',
        'kds_grant_lost_total{cause="stolen"} 1',
      ]),
    );
    expect(text).not.toContain('"a"');
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    expect(names).toHaveLength(9);
    for (const name of names) expect(documented).toContain(`\`${name}\``);
    await end();
    expect(await read(metrics.url)).toContain('kds_grants{mode="exclusive"} 0');
    const { origin } = new URL(metrics.url);
    expect((await fetch(`${origin}/`)).status).toBe(404);
    expect((await fetch(metrics.url, { method: 'POST' })).status).toBe(405);
    expect((await fetch(metrics.url, { headers: { origin: 'http://evil' } })).status).toBe(403);
    await metrics.close();
  });
});

/**
 * kds/inspect/otel: metrics of the domains of this thread, for OpenTelemetry.
 *
 * The names follow those of database connection pools (`db.client.connection.*`), as the questions
 * are the same: numbers in use, numbers waiting, waiting times and time-outs. Names of resources
 * are not attributes, since each would be a series of its own; but those of resources with a
 * capacity are, of 100 at most.
 */

import { type Attributes, type MeterProvider, metrics } from '@opentelemetry/api';
import { type AnyEvent, bucketsSeconds, descriptions, tally } from './tally.ts';

/**
 * Options of {@link recordMetrics}.
 *
 * @since 0.1.0
 */
export interface OtelOptions {
  /** Default: the global provider. */
  readonly meterProvider?: MeterProvider | undefined;
  /**
   * Further attributes, with few values, since each combination is a series. They must be the same
   * for all events of one request, or counts do not return to 0.
   */
  readonly attributes?: ((event: AnyEvent) => Attributes) | undefined;
}

/**
 * Records metrics of all domains of this thread, until the returned function is called:
 *
 * - `kds.grant.count` {grant}: held sets, by `kds.mode`;
 * - `kds.grant.pending_requests` {request}: waiting requests, by `kds.mode`;
 * - `kds.grant.timeouts` {timeout}: requests that timed out;
 * - `kds.grant.wait_time` s: from a request to its end, by `kds.outcome`;
 * - `kds.grant.use_time` s: from a grant to its end;
 * - `kds.grant.lost` {grant}: lost grants, by `kds.cause`;
 * - `kds.resource.capacity` {unit}, `kds.resource.taken` {unit} and `kds.resource.waiting`
 *   {request}: the units of a resource with a capacity, those that are held, and the sets that wait
 *   for it, by `kds.resource`. The first 100 resources are counted.
 *
 * Each has `kds.backend`, and `kds.domain` if the domain has a label.
 *
 * @param options - The provider, and further attributes.
 * @returns A function that ends the recording. Requests that still wait or hold leave the counts.
 * @waits Never.
 * @example
 * ```ts
 * import { createDomain } from 'kds';
 * import { recordMetrics } from 'kds/inspect/otel';
 *
 * const stop = recordMetrics();
 * await createDomain({ label: 'shop' }).run({ exclusive: 'db' }, () => {});
 * stop();
 * ```
 * @since 0.1.0
 */
export function recordMetrics({ meterProvider, attributes }: OtelOptions = {}): () => void {
  const meter = (meterProvider ?? metrics).getMeter('kds');
  const seconds = { unit: 's', advice: { explicitBucketBoundaries: bucketsSeconds } };
  const held = meter.createUpDownCounter('kds.grant.count', {
    unit: '{grant}',
    description: descriptions.held,
  });
  const pending = meter.createUpDownCounter('kds.grant.pending_requests', {
    unit: '{request}',
    description: descriptions.pending,
  });
  const timeouts = meter.createCounter('kds.grant.timeouts', {
    unit: '{timeout}',
    description: descriptions.timeouts,
  });
  const waitTime = meter.createHistogram('kds.grant.wait_time', {
    ...seconds,
    description: descriptions.waitTime,
  });
  const useTime = meter.createHistogram('kds.grant.use_time', {
    ...seconds,
    description: descriptions.useTime,
  });
  const lost = meter.createCounter('kds.grant.lost', {
    unit: '{grant}',
    description: descriptions.lost,
  });
  const pools = {
    capacity: meter.createUpDownCounter('kds.resource.capacity', {
      unit: '{unit}',
      description: descriptions.capacity,
    }),
    taken: meter.createUpDownCounter('kds.resource.taken', {
      unit: '{unit}',
      description: descriptions.taken,
    }),
    waiting: meter.createUpDownCounter('kds.resource.waiting', {
      unit: '{request}',
      description: descriptions.waiting,
    }),
  };
  const about = (event: AnyEvent): Attributes => ({
    ...attributes?.(event),
    'kds.backend': event.domain.backend,
    ...(event.domain.label !== undefined && { 'kds.domain': event.domain.label }),
  });
  return tally({
    held: (event, mode, change) => held.add(change, { ...about(event), 'kds.mode': mode }),
    pending: (event, mode, change) => pending.add(change, { ...about(event), 'kds.mode': mode }),
    waited: (event) => {
      const { outcome, waitMs } = event;
      waitTime.record(waitMs / 1000, { ...about(event), 'kds.outcome': outcome });
      if (outcome === 'timed-out') timeouts.add(1, about(event));
    },
    used: (event) => useTime.record(event.heldMs / 1000, about(event)),
    lost: (event) => lost.add(1, { ...about(event), 'kds.cause': event.cause }),
    pool: (event, resource, count, change) => {
      pools[count].add(change, { ...about(event), 'kds.resource': resource });
    },
  });
}

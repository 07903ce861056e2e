/** A client of the broker under stress that writes a trace, as KDS_TRACE says. */

import { traceIfAsked } from '../../src/inspect/trace.ts';

traceIfAsked();
await import('../broker/stress-client.ts');

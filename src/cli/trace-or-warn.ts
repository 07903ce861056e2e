/** KDS_TRACE, for a command of kds: it goes on without a trace that cannot be written. */

import { traceIfAsked } from '../inspect/trace.ts';
import { report } from './messages.ts';

export function traceOrWarn(): void {
  traceIfAsked({
    onFailure: (error) => report(`KDS_TRACE: there is no trace from here on: ${error.message}`),
  });
}
